package main

import (
	"bytes"
	"fmt"
	"strconv"
	"time"
)

// A message's text tells who sent it as which of theirs and when, so that
// whoever reads it can check and measure: "load RUN SENDER SEQUENCE MICROSECONDS".
type message struct {
	run, sender, sequence int64
	sent                  time.Duration // since the program's start
}

// appendContent appends the event's content, about 140 bytes as people write.
func (m message) appendContent(dst []byte) []byte {
	dst = append(dst, `{"msgtype":"m.text","body":"load `...)
	for _, n := range []int64{m.run, m.sender, m.sequence, m.sent.Microseconds()} {
		dst = append(strconv.AppendInt(dst, n, 10), ' ')
	}
	return append(dst, `The kettle is on, come over when you have put the bicycle away."}`...)
}

// marker is before the numbers of each message in an answer, however the
// server orders the content's members.
const marker = `"body":"load `

// eachMessage calls yield for every message in an answer, in order.
func eachMessage(answer []byte, yield func(message) error) error {
	for {
		at := bytes.Index(answer, []byte(marker))
		if at < 0 {
			return nil
		}
		answer = answer[at+len(marker):]
		var numbers [4]int64
		rest := answer[:min(len(answer), 100)]
		for i := range numbers {
			word, after, found := bytes.Cut(rest, []byte(" "))
			n, err := strconv.ParseInt(string(word), 10, 64)
			if !found || err != nil {
				return fmt.Errorf("a message came back changed: %.60q", answer)
			}
			numbers[i], rest = n, after
		}
		m := message{numbers[0], numbers[1], numbers[2], time.Duration(numbers[3]) * time.Microsecond}
		if err := yield(m); err != nil {
			return err
		}
	}
}

// stringMember returns the first string named name in an answer; it must hold
// no escapes, as tokens and ids do not.
func stringMember(answer []byte, name string) (string, bool) {
	_, after, ok := bytes.Cut(answer, []byte(`"`+name+`":"`))
	if !ok {
		return "", false
	}
	s, _, ok := bytes.Cut(after, []byte(`"`))
	return string(s), ok
}

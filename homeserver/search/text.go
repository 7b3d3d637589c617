package search

import (
	"cmp"
	"slices"

	"hearth/homeserver/store"
	"hearth/matrix"
)

// The keys of events that are searched, as requests name them.
const (
	KeyBody  = "content.body"  // of messages
	KeyName  = "content.name"  // of rooms
	KeyTopic = "content.topic" // of rooms
)

// Keys lists all keys.
func Keys() []string { return []string{KeyBody, KeyName, KeyTopic} }

// keyOf returns under which key an event is searched, "" if it is not.
// spec: client-server-api#room_events
func keyOf(e *store.Event) string {
	switch {
	case e.Type == "m.room.message" && !e.IsState():
		return KeyBody
	case e.Is("m.room.name", ""):
		return KeyName
	case e.Is("m.room.topic", ""):
		return KeyTopic
	}
	return ""
}

// textOf returns what of a content is searched under a key.
func textOf(key string, content []byte) string {
	switch key {
	case KeyBody:
		text, _ := matrix.StringField(content, "body")
		return text
	case KeyName:
		text, _ := matrix.StringField(content, "name")
		return text
	case KeyTopic:
		text, _ := matrix.StringField(content, "topic")
		if plain := plainTopic(content); plain != text {
			text += "\n" + plain
		}
		return text
	}
	return ""
}

// plainTopic returns the text/plain form of a topic in several forms.
// spec: client-server-api#mroomtopic
func plainTopic(content []byte) (text string) {
	forms, ok := matrix.Field(content, "m.topic", "m.text")
	if !ok || !matrix.IsArray(forms) {
		return ""
	}
	matrix.EachElement(forms, func(form []byte) bool {
		kind, given := matrix.StringField(form, "mimetype")
		if given && kind != "text/plain" {
			return true
		}
		text, _ = matrix.StringField(form, "body")
		return false
	})
	return text
}

// editedText returns the text that an edit gives its message.
func editedText(edit *store.Event) string {
	text, _ := matrix.StringField(edit.Content, "m.new_content", "body")
	return text
}

// isEdit reports whether an event replaces another's text.
func isEdit(e *store.Event) bool {
	relType, _ := matrix.StringField(e.Content, "m.relates_to", "rel_type")
	return relType == "m.replace"
}

// maxTokens bounds the different words of a text that are indexed.
const maxTokens = 500

// grade is a word of an event with its level.
type grade struct {
	term  string
	level level
}

// grades returns the different words of texts of one event.
func grades(key string, texts ...string) []grade {
	var out []grade
	for _, text := range texts {
		all := words(text)
		terms := different(all)
		slices.Sort(terms)
		for len(terms) > 0 {
			n := 1
			for n < len(terms) && terms[n] == terms[0] {
				n++
			}
			out = append(out, grade{terms[0], levelOf(key, n, len(all))})
			terms = terms[n:]
		}
	}
	if len(texts) > 1 {
		slices.SortFunc(out, func(a, b grade) int { return cmp.Or(cmp.Compare(a.term, b.term), -cmp.Compare(a.level, b.level)) })
		out = slices.CompactFunc(out, func(a, b grade) bool { return a.term == b.term })
	}
	return out
}

// different returns the texts of words, of the first maxTokens different ones only.
func different(all []word) []string {
	out := make([]string, 0, len(all))
	var seen map[string]bool
	if len(all) > maxTokens {
		seen = make(map[string]bool, maxTokens)
	}
	for _, w := range all {
		if seen != nil && !seen[w.text] {
			if len(seen) == maxTokens {
				continue
			}
			seen[w.text] = true
		}
		out = append(out, w.text)
	}
	return out
}

// levelOf grades a word that occurs n times among length words by BM25 (k1 = 1.2, b = 0.75, an average message having
// 12 words). How rare the word is is left out: every result has all words that are searched for.
func levelOf(key string, n, length int) level {
	switch key {
	case KeyName:
		return levelName
	case KeyTopic:
		return levelTopic
	}
	const k1, b, average = 1.2, 0.75, 12
	grade := float64(n) / (float64(n) + k1*(1-b+b*float64(length)/average)) // between 0 and 1
	return levelBody + min(level(grade*6), maxLevel-levelBody)
}

package vmtest_test

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
)

// Numbers of the NBD protocol, and the names that its document gives them.
const (
	nbdMagic      = 0x4e42444d41474943 // NBDMAGIC
	optionMagic   = 0x49484156454f5054 // IHAVEOPT
	replyMagic    = 0x3e889045565a9
	requestMagic  = 0x25609513
	answerMagic   = 0x67446698
	newStyle      = 1 // NBD_FLAG_FIXED_NEWSTYLE
	optionAbort   = 2 // NBD_OPT_ABORT
	optionInfo    = 6 // NBD_OPT_INFO
	optionGo      = 7 // NBD_OPT_GO
	replyAck      = 1 // NBD_REP_ACK
	replyInfo     = 3 // NBD_REP_INFO
	unsupported   = 1<<31 | 1
	canFlush      = 1<<0 | 1<<2 | 1<<3 // NBD_FLAG_HAS_FLAGS, NBD_FLAG_SEND_FLUSH, NBD_FLAG_SEND_FUA
	commandRead   = 0
	commandWrite  = 1
	commandEnd    = 2
	commandFlush  = 3
	forceUnit     = 1 // NBD_CMD_FLAG_FUA
	largestOption = 64 << 10
	largestData   = 64 << 20
)

// serve speaks NBD over a connection until it ends. When power fails, it falls silent.
func (v *volume) serve(conn net.Conn) error {
	defer conn.Close()
	in := bufio.NewReader(conn)
	if err := v.negotiate(in, conn); err != nil {
		return fmt.Errorf("negotiating: %w", err)
	}
	for {
		var header struct {
			Magic       uint32
			Flags, Type uint16
			Cookie      uint64
			Offset      int64
			Length      uint32
		}
		err := binary.Read(in, binary.BigEndian, &header)
		if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		if header.Magic != requestMagic || header.Length > largestData {
			return fmt.Errorf("a request begins with %x and is about %d bytes", header.Magic, header.Length)
		}
		if header.Type == commandEnd {
			return nil
		}
		answer := binary.BigEndian.AppendUint32(nil, answerMagic)
		fault := uint32(0)
		data := make([]byte, header.Length)
		powered := true
		switch header.Type {
		case commandRead:
			err = v.read(data, header.Offset)
		case commandWrite:
			if _, err := io.ReadFull(in, data); err != nil {
				return err
			}
			powered, err = v.write(data, header.Offset, header.Flags&forceUnit != 0)
			data = nil
		case commandFlush:
			powered, err = v.flush()
			data = nil
		default:
			data, err = nil, fmt.Errorf("there is no command %d", header.Type)
		}
		if !powered {
			_, err := io.Copy(io.Discard, in)
			return err
		}
		if err != nil {
			fault, data = uint32(syscall.EIO), nil
		}
		answer = binary.BigEndian.AppendUint32(answer, fault)
		answer = binary.BigEndian.AppendUint64(answer, header.Cookie)
		if _, err := conn.Write(append(answer, data...)); err != nil {
			return err
		}
	}
}

// negotiate agrees with a client on this volume, whatever its name.
func (v *volume) negotiate(in io.Reader, out io.Writer) error {
	greeting := binary.BigEndian.AppendUint64(nil, nbdMagic)
	greeting = binary.BigEndian.AppendUint64(greeting, optionMagic)
	if _, err := out.Write(binary.BigEndian.AppendUint16(greeting, newStyle)); err != nil {
		return err
	}
	var flags uint32
	if err := binary.Read(in, binary.BigEndian, &flags); err != nil {
		return err
	}
	for {
		var option struct {
			Magic          uint64
			Number, Length uint32
		}
		if err := binary.Read(in, binary.BigEndian, &option); err != nil {
			return err
		}
		if option.Magic != optionMagic || option.Length > largestOption {
			return fmt.Errorf("an option begins with %x and has %d bytes", option.Magic, option.Length)
		}
		if _, err := io.CopyN(io.Discard, in, int64(option.Length)); err != nil {
			return err
		}
		reply := func(kind uint32, data []byte) error {
			message := binary.BigEndian.AppendUint64(nil, replyMagic)
			message = binary.BigEndian.AppendUint32(message, option.Number)
			message = binary.BigEndian.AppendUint32(message, kind)
			message = binary.BigEndian.AppendUint32(message, uint32(len(data)))
			_, err := out.Write(append(message, data...))
			return err
		}
		var err error
		switch option.Number {
		case optionAbort:
			return errors.Join(reply(replyAck, nil), errors.New("the client wants nothing"))
		case optionInfo, optionGo:
			export := binary.BigEndian.AppendUint16(nil, 0) // NBD_INFO_EXPORT
			export = binary.BigEndian.AppendUint64(export, uint64(v.size))
			export = binary.BigEndian.AppendUint16(export, canFlush)
			err = errors.Join(reply(replyInfo, export), reply(replyAck, nil))
		default:
			err = reply(unsupported, nil)
		}
		if err != nil || option.Number == optionGo {
			return err
		}
	}
}

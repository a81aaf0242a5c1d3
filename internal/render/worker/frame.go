package worker

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// The kinds of messages.
const (
	kindJob      = 'j' // to the process
	kindQuestion = 'q' // from the process, while it works
	kindAnswer   = 'a' // to the process, JSON
	kindData     = 'd' // to the process, the content of a file
	kindFailure  = 'f' // to the process, instead of an answer
	kindResult   = 'r' // from the process
	kindObjects  = 'o' // from the process, after a result
)

// headerSize is the size of what stands before a message: its kind and its length.
const headerSize = 5

var errProtocol = errors.New("a message between the operator and its worker process cannot be read")

// pipe sends and receives messages. It is not safe for concurrent use in one direction.
type pipe struct {
	in  *bufio.Reader
	out *bufio.Writer
}

func newPipe(in io.Reader, out io.Writer) *pipe {
	return &pipe{in: bufio.NewReaderSize(in, 64<<10), out: bufio.NewWriterSize(out, 64<<10)}
}

// send sends bytes as they are.
func (p *pipe) send(kind byte, payload []byte) error {
	var header [headerSize]byte
	header[0] = kind
	binary.BigEndian.PutUint32(header[1:], uint32(len(payload))) //nolint:gosec // what is sent is bounded far below
	if _, err := p.out.Write(header[:]); err != nil {
		return err
	}
	if _, err := p.out.Write(payload); err != nil {
		return err
	}
	return p.out.Flush()
}

// sendJSON sends a value.
func (p *pipe) sendJSON(kind byte, value any) error {
	payload, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return p.send(kind, payload)
}

// receive gives the next message, which may have so many bytes.
func (p *pipe) receive(limit int64) (kind byte, payload []byte, err error) {
	var header [headerSize]byte
	if _, err := io.ReadFull(p.in, header[:]); err != nil {
		return 0, nil, err
	}
	size := int64(binary.BigEndian.Uint32(header[1:]))
	if size > limit {
		return 0, nil, fmt.Errorf("%w: it has %d bytes", errProtocol, size)
	}
	payload = make([]byte, size)
	_, err = io.ReadFull(p.in, payload)
	return header[0], payload, err
}

// expect gives the next message if it is of a kind.
func (p *pipe) expect(kind byte, limit int64) ([]byte, error) {
	got, payload, err := p.receive(limit)
	if err == nil && got != kind {
		err = errProtocol
	}
	return payload, err
}

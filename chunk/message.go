package chunk

import (
	"bytes"
	"fmt"
)

// MessageType is the type of a message. The numbers are those on the wire.
type MessageType int

// The types of messages.
const (
	MessageCoredump  MessageType = 1
	MessageEvent     MessageType = 2
	MessageLog       MessageType = 3
	MessageRecording MessageType = 4 // a custom data recording
	MessageMAR       MessageType = 5 // an archive of memfaultd, which is not decoded
)

// String returns the name of the type, such as "coredump".
func (t MessageType) String() string {
	switch t {
	case MessageCoredump:
		return "coredump"
	case MessageEvent:
		return "event"
	case MessageLog:
		return "log"
	case MessageRecording:
		return "recording"
	case MessageMAR:
		return "MAR"
	default:
		return fmt.Sprintf("type %d", int(t))
	}
}

// Message is a complete message of a device.
//
// A printed or encoded Message does not contain the project key.
type Message struct {
	// Type is kept if it is unknown.
	Type MessageType

	// ProjectKey is the project key that the firmware adds to each message if it is configured
	// to do so. Otherwise it is "".
	ProjectKey string `json:"-"`

	// Payload is the content of the message without compression.
	Payload []byte
}

// String returns the type and the size of the message.
func (m Message) String() string {
	return fmt.Sprintf("%s message of %d bytes", m.Type, len(m.Payload))
}

// GoString returns the same as String, so that %#v does not print the project key.
func (m Message) GoString() string { return m.String() }

// The first byte of a message.
const (
	maskType        = 0x3F
	flagProjectKey  = 0x40 // 32 characters and a NUL follow
	flagCompression = 0x80
)

const projectKeySize = 32

// contentProblem describes the bytes of a message that are invalid.
type contentProblem struct {
	from, to int
	text     string
}

// newMessage reads a message with a correct checksum. If shared is set, it copies what it
// returns.
func newMessage(b []byte, shared bool, limit int) (*Message, *contentProblem) {
	m := &Message{Type: MessageType(b[0] & maskType)}
	payload := b[1:]
	if b[0]&flagProjectKey != 0 {
		if bytes.IndexByte(payload, 0) != projectKeySize {
			return nil, &contentProblem{1, min(len(b), 1+projectKeySize+1), "the project key does not have 32 characters and a NUL"}
		}
		m.ProjectKey, payload = string(payload[:projectKeySize]), payload[projectKeySize+1:]
	}
	switch {
	case b[0]&flagCompression != 0:
		expanded, at, problem := expand(payload, limit)
		if problem != "" {
			return nil, &contentProblem{len(b) - len(payload) + at, len(b), problem}
		}
		m.Payload = expanded
	case shared:
		m.Payload = bytes.Clone(payload)
	default:
		m.Payload = payload[:len(payload):len(payload)]
	}
	return m, nil
}

package memfault

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/hashicorp/go-retryablehttp"
)

// payload is the body of a request. Its size is known before it is sent, and each attempt
// reads it from its start.
type payload struct {
	contentType string
	content     []byte // in memory; nil if open is set
	size        int64
	open        func() io.ReadCloser
}

// payloadOf returns body if it is a payload; otherwise its JSON.
func payloadOf(body any) (*payload, error) {
	if content, ok := body.(*payload); ok {
		return content, nil
	}
	encoded, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("encode the request body: %w", err)
	}
	return bytesPayload("application/json", encoded), nil
}

func bytesPayload(contentType string, content []byte) *payload {
	return &payload{contentType: contentType, content: content, size: int64(len(content))}
}

// setOn makes the payload the body of a request. An empty payload is sent with a
// Content-Length of 0 instead of a body of unknown size.
func (p *payload) setOn(req *retryablehttp.Request) error {
	if p.size == 0 {
		return nil
	}
	if p.open == nil {
		return req.SetBody(p.content)
	}
	err := req.SetBody(retryablehttp.ReaderFunc(func() (io.Reader, error) { return p.open(), nil }))
	req.ContentLength = p.size
	return err
}

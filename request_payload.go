package memfault

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/hashicorp/go-retryablehttp"
)

// payload is the body of a request. Each attempt opens it anew and reads it from its
// start; its size is known before.
type payload struct {
	contentType string
	size        int64
	open        func() io.ReadCloser
}

// payloadOf returns body if it is a payload, and else its JSON.
func payloadOf(body any) (*payload, error) {
	if content, ok := body.(*payload); ok {
		return content, nil
	}
	encoded, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("the body cannot be encoded: %w", err)
	}
	return bytesPayload("application/json", encoded), nil
}

func bytesPayload(contentType string, content []byte) *payload {
	return &payload{
		contentType: contentType,
		size:        int64(len(content)),
		open:        func() io.ReadCloser { return io.NopCloser(bytes.NewReader(content)) },
	}
}

// into makes the payload the body of a request. An empty one is sent as a
// Content-Length of 0, and not as a body of unknown size.
func (p *payload) into(req *retryablehttp.Request) error {
	if p.contentType != "" {
		req.Header.Set("Content-Type", p.contentType)
	}
	if p.size == 0 {
		return nil
	}
	err := req.SetBody(retryablehttp.ReaderFunc(func() (io.Reader, error) { return p.open(), nil }))
	req.ContentLength = p.size
	return err
}

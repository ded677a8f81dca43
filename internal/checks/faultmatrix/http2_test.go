package faultmatrix

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// http2Server serves a connection frame by frame, because the server of Go offers no way to
// reject a stream. fault is called for each request. It returns true if it has responded itself.
type http2Server struct {
	conn    net.Conn
	framer  *http2.Framer
	handler http.Handler
	fault   func(s *http2Server, stream uint32) bool
}

// serve returns when the connection ends.
func (s *http2Server) serve() {
	defer s.conn.Close()
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(s.conn, preface); err != nil {
		return
	}
	s.framer = http2.NewFramer(s.conn, s.conn)
	s.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if s.framer.WriteSettings() != nil {
		return
	}
	requests := map[uint32]*http.Request{}
	bodies := map[uint32]*bytes.Buffer{}
	for {
		frame, err := s.framer.ReadFrame()
		if err != nil {
			return
		}
		id, ended := frame.Header().StreamID, false
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				_ = s.framer.WriteSettingsAck()
			}
		case *http2.PingFrame:
			if !frame.IsAck() {
				_ = s.framer.WritePing(true, frame.Data)
			}
		case *http2.MetaHeadersFrame:
			requests[id], bodies[id] = newRequest(frame), new(bytes.Buffer)
			ended = frame.StreamEnded()
		case *http2.DataFrame:
			if bodies[id] != nil {
				bodies[id].Write(frame.Data())
			}
			ended = frame.StreamEnded()
		}
		if ended && requests[id] != nil {
			r := requests[id]
			r.Body = http.NoBody
			if body := bodies[id]; body.Len() > 0 {
				r.Body = io.NopCloser(body)
			}
			if !s.fault(s, id) {
				s.respond(id, r)
			}
		}
	}
}

func newRequest(frame *http2.MetaHeadersFrame) *http.Request {
	target, err := url.ParseRequestURI(frame.PseudoValue("path"))
	if err != nil {
		target = &url.URL{Path: "/"}
	}
	r := &http.Request{
		Method: frame.PseudoValue("method"), URL: target, Host: frame.PseudoValue("authority"),
		Proto: "HTTP/2.0", ProtoMajor: 2, Header: http.Header{}, TLS: new(tls.ConnectionState),
	}
	for _, field := range frame.RegularFields() {
		r.Header.Add(field.Name, field.Value)
	}
	return r
}

// respond sends the response of the handler.
func (s *http2Server) respond(id uint32, r *http.Request) {
	recorded := httptest.NewRecorder()
	s.handler.ServeHTTP(recorded, r)
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	_ = encoder.WriteField(hpack.HeaderField{Name: ":status", Value: strconv.Itoa(recorded.Code)})
	_ = encoder.WriteField(hpack.HeaderField{Name: "content-type", Value: recorded.Header().Get("Content-Type")})
	_ = s.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block.Bytes(), EndHeaders: true})
	_ = s.framer.WriteData(id, true, recorded.Body.Bytes())
}

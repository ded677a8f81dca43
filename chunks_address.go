package memfault

import (
	"net/url"
	"strings"
	"unicode/utf8"
)

// ChunksAddress is where a device sends its chunks; see [ParseChunksURL].
type ChunksAddress struct {
	DeviceSerial string // unescaped
	BaseURL      string // of the current host of chunks, for [BaseURLs.Chunks]
}

const (
	chunksHost    = "chunks.memfault.com"
	chunksHostNRF = "chunks-nrf.memfault.com" // deprecated; see BaseURLs
	chunksPath    = "/api/v0/chunks/"
)

// ParseChunksURL parses the address to which a device sends its chunks, such as
// https://chunks-nrf.memfault.com/api/v0/chunks/ABCD1234. It is meant for relays that receive
// the address from the device. Only the serial is taken from it: for both known hosts, BaseURL
// is https://chunks.memfault.com.
//
// ParseChunksURL fails with [ErrInvalidArgument] if the address is not https, does not
// contain chunks.memfault.com or chunks-nrf.memfault.com as its host, or contains a port, a
// user name, a query or a fragment. Exactly one path segment must follow /api/v0/chunks/.
func ParseChunksURL(address string) (ChunksAddress, error) {
	fail := func(problem string) (ChunksAddress, error) {
		return ChunksAddress{}, invalid("ParseChunksURL: %s", problem)
	}
	u, err := url.Parse(address)
	if err != nil { // its text would contain the address, which may contain a password
		return fail("the text does not parse as a URL")
	}
	host := strings.ToLower(u.Host)
	segment, ok := strings.CutPrefix(u.EscapedPath(), chunksPath)
	serial, err := url.PathUnescape(segment)
	switch {
	case u.Scheme != "https":
		return fail("the scheme must be https")
	case u.User != nil || strings.ContainsAny(address, "?#"):
		return fail("the URL must not contain a user name, a query or a fragment")
	case host != chunksHost && host != chunksHostNRF:
		return fail("the host must be " + chunksHost + " or " + chunksHostNRF + ", without a port")
	case !ok || err != nil || strings.Contains(segment, "/"):
		return fail("the path must be " + chunksPath + " and one segment")
	case checkSegment(serial) != nil || !utf8.ValidString(serial) || strings.ContainsFunc(serial, isControl):
		return fail("invalid serial")
	}
	return ChunksAddress{DeviceSerial: serial, BaseURL: "https://" + chunksHost}, nil
}

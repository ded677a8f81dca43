package memfault_test

import (
	"context"
	"fmt"
	"log"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

func TestParseChunksURL(t *testing.T) {
	for address, serial := range map[string]string{
		"https://chunks-nrf.memfault.com/api/v0/chunks/ABCD1234":        "ABCD1234",
		"https://chunks.memfault.com/api/v0/chunks/nrf-352656100000001": "nrf-352656100000001",
		"HTTPS://Chunks-NRF.Memfault.com/api/v0/chunks/a":               "a",
		"https://chunks.memfault.com/api/v0/chunks/a%20b+c%2Fd%C3%A9":   "a b+c/dé",
		"https://chunks.memfault.com/api/v0/chunks/a:b@c":               "a:b@c",
		"https://chunks.memfault.com/api/v0/chunks/...":                 "...",
	} {
		got, err := memfault.ParseChunksURL(address)
		require.NoError(t, err, address)
		assert.Equal(t, memfault.ChunksAddress{DeviceSerial: serial, BaseURL: "https://chunks.memfault.com"}, got)
	}
}

func TestParseChunksURL_InvalidInput(t *testing.T) {
	const base = "https://chunks-nrf.memfault.com/api/v0/chunks/"
	for name, address := range map[string]string{
		"empty":            "",
		"http":             strings.Replace(base, "https", "http", 1) + "s3cret",
		"no scheme":        "//chunks.memfault.com/api/v0/chunks/s3cret",
		"another host":     "https://evil.example/api/v0/chunks/s3cret",
		"host as prefix":   "https://chunks.memfault.com.evil.example/api/v0/chunks/s3cret",
		"host of devices":  "https://device-nrf.memfault.com/api/v0/chunks/s3cret",
		"trailing dot":     "https://chunks.memfault.com./api/v0/chunks/s3cret",
		"port":             "https://chunks.memfault.com:443/api/v0/chunks/s3cret",
		"user":             "https://jane:s3cret@chunks.memfault.com/api/v0/chunks/a",
		"empty user":       "https://@chunks.memfault.com/api/v0/chunks/s3cret",
		"query":            base + "a?key=s3cret",
		"empty query":      base + "s3cret?",
		"fragment":         base + "a#s3cret",
		"empty fragment":   base + "s3cret#",
		"no serial":        base,
		"no path":          "https://chunks.memfault.com",
		"two segments":     base + "a/s3cret",
		"trailing slash":   base + "s3cret/",
		"another path":     "https://chunks.memfault.com/api/v1/chunks/s3cret",
		"escaped path":     "https://chunks.memfault.com/api%2Fv0/chunks/s3cret",
		"longer path":      "https://chunks.memfault.com/x/api/v0/chunks/s3cret",
		"dots":             base + "..",
		"escaped dots":     base + "%2e%2E",
		"dots in the path": "https://chunks.memfault.com/api/v0/chunks/../chunks/s3cret",
		"bad escape":       base + "s3cret%zz",
		"control":          base + "s3cret%0A",
		"not UTF-8":        base + "s3cret%ff",
		"space":            " " + base + "s3cret",
	} {
		got, err := memfault.ParseChunksURL(address)
		require.ErrorIs(t, err, memfault.ErrInvalidArgument, name)
		assert.Zero(t, got, name)
		requireNoSecret(t, err.Error())
	}
}

// FuzzParseChunksURL checks that an accepted address contains nothing but a serial, and that the
// address of any valid serial is accepted.
func FuzzParseChunksURL(f *testing.F) {
	const base = "https://chunks.memfault.com/api/v0/chunks/"
	f.Add("https://chunks-nrf.memfault.com/api/v0/chunks/ABCD1234", "ABCD1234")
	f.Add("https://a@chunks.memfault.com/api/v0/chunks/%2F?x#y", "a/b?c#d")
	f.Add("HTTPS://Chunks.Memfault.com/api/v0/chunks/a%20b+c", "\u0085é%2F")
	f.Add("https://chunks.memfault.com:443/api/v0/chunks/%2e%2e", "..")
	f.Add("https://chunks.memfault.com/api%2Fv0/chunks/a", "\xff\x00")
	f.Fuzz(func(t *testing.T, address, serial string) {
		got, err := memfault.ParseChunksURL(address)
		if err == nil {
			require.Equal(t, "https://chunks.memfault.com", got.BaseURL)
			lower := strings.ToLower(address)
			require.True(t, strings.HasPrefix(lower, "https://chunks.memfault.com/") || strings.HasPrefix(lower, "https://chunks-nrf.memfault.com/"), address)
			again, err := memfault.ParseChunksURL(base + url.PathEscape(got.DeviceSerial))
			require.NoError(t, err)
			require.Equal(t, got, again)
		} else {
			require.ErrorIs(t, err, memfault.ErrInvalidArgument)
			require.Zero(t, got)
		}
		valid := !isNoSegment(serial) && utf8.ValidString(serial) && !strings.ContainsFunc(serial, func(r rune) bool { return r < ' ' || r == 0x7f })
		got, err = memfault.ParseChunksURL(base + url.PathEscape(serial))
		require.Equal(t, valid, err == nil, "%q: %v", serial, err)
		if valid {
			require.Equal(t, serial, got.DeviceSerial)
		}
	})
}

func ExampleParseChunksURL() {
	cloud, err := memfaulttest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()

	// A device reports where it sends its chunks, and then a chunk.
	address, err := memfault.ParseChunksURL("https://chunks-nrf.memfault.com/api/v0/chunks/ABCD1234")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(address.DeviceSerial, address.BaseURL)
	gateway := cloud.Client(nil, memfault.ProjectKey(cloud.ProjectKey())) // its default host of chunks is the current one
	if err := gateway.Chunks.Upload(context.Background(), address.DeviceSerial, [][]byte{[]byte("a chunk")}); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", cloud.Chunks("ABCD1234")[0])
	// Output:
	// ABCD1234 https://chunks.memfault.com
	// a chunk
}

package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"hash/crc32"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/examples/dashboard/internal/web"
)

var update = flag.Bool("update", false, "write the pictures in docs")

const (
	pictures    = "../../docs"
	maxPictures = 200 << 10 // bytes of both
	pageKey     = "Page"    // of the text in a picture with the hash of the page
)

// The pictures of the demo in docs are current. What Chromium draws depends on its version and on the fonts
// of the machine. So a picture contains the hash of what was drawn: the page of the demo at a fixed time,
// the style sheet and the script. The flag -update writes the pictures.
func TestDocs_PicturesAreCurrent(t *testing.T) {
	if raceEnabled {
		t.Skip("the same without the race detector, which takes long here")
	}
	present := time.Date(2026, 11, 27, 15, 0, 0, 0, time.UTC)
	c := newConfig(t)
	f, err := newFake(t.Context(), 500, present.Add(-fakeStory))
	require.NoError(t, err)
	t.Cleanup(f.cloud.Close)
	require.NoError(t, f.replay(t.Context(), c.store, present))
	c.rate, c.interval, c.listAll, c.fake, c.now = 20, time.Minute, time.Hour, true, func() time.Time { return f.now }
	p, err := newParts(t.Context(), c, f.source(), newShared(c), false)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.store.Close()) })
	require.Empty(t, p.reader.Read(t.Context()))
	site := web.Site{Servers: []*web.Server{p.site}}
	server := httptest.NewServer(site.Handler())
	t.Cleanup(server.Close)
	d := &dashboard{url: server.URL}
	sum := sha256.New()
	for _, path := range []string{"/", "/static/style.css", "/static/live.js"} {
		_, body := d.get(t, path)
		sum.Write([]byte(body))
	}
	want := hex.EncodeToString(sum.Sum(nil))

	size := 0
	for _, as := range []look{{name: "light", width: 1200, height: 750}, {name: "dark", width: 1200, height: 750, dark: true}} {
		path := filepath.Join(pictures, "dashboard-"+as.name+".png")
		if *update {
			require.NoError(t, os.WriteFile(path, withText(drawPage(t, d, as, present), pageKey, want), 0o644))
		}
		picture, err := os.ReadFile(path)
		require.NoError(t, err)
		size += len(picture)
		_, err = png.Decode(bytes.NewReader(picture))
		require.NoError(t, err)
		assert.Equal(t, want, textOf(picture, pageKey), "%s is not current; write it with: go test -run TestDocs -update", path)
	}
	assert.LessOrEqual(t, size, maxPictures)
}

// drawPage returns a picture of the first screen of the fleet.
func drawPage(t *testing.T, d *dashboard, as look, now time.Time) []byte {
	t.Helper()
	ctx := newBrowser(t, as)
	_, err := chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{
		Source: "Date.now = () => " + strconv.FormatInt(now.UnixMilli(), 10),
	})
	require.NoError(t, err)
	require.NoError(t, chromedp.Do(ctx, chromedp.Navigate(d.url)))
	requireLive(t, ctx)
	requirePainted(t, ctx)
	picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	require.NoError(t, err)
	decoded, err := png.Decode(bytes.NewReader(picture))
	require.NoError(t, err)
	var small bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	require.NoError(t, encoder.Encode(&small, withPalette(decoded)))
	return small.Bytes()
}

// withPalette returns a picture with its 256 most frequent colors.
func withPalette(picture image.Image) image.Image {
	bounds := picture.Bounds()
	counts := map[color.RGBA]int{}
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			counts[color.RGBAModel.Convert(picture.At(x, y)).(color.RGBA)]++
		}
	}
	var palette color.Palette
	for c := range counts {
		palette = append(palette, c)
	}
	slices.SortFunc(palette, func(a, b color.Color) int { return counts[b.(color.RGBA)] - counts[a.(color.RGBA)] })
	small := image.NewPaletted(bounds, palette[:min(len(palette), 256)])
	draw.Draw(small, bounds, picture, bounds.Min, draw.Src)
	return small
}

// A PNG file begins with a signature of 8 bytes. Chunks follow: length, kind, data, checksum. The first,
// IHDR, has 13 bytes of data.
const afterHeader = 8 + 4 + 4 + 13 + 4

// withText returns a PNG file with a text.
func withText(picture []byte, key, text string) []byte {
	data := []byte(key + "\x00" + text)
	chunk := append([]byte("tEXt"), data...)
	added := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	added = append(added, chunk...)
	added = binary.BigEndian.AppendUint32(added, crc32.ChecksumIEEE(chunk))
	return slices.Concat(picture[:afterHeader], added, picture[afterHeader:])
}

// textOf returns a text of a PNG file; empty if there is none.
func textOf(picture []byte, key string) string {
	for at := 8; at+8 <= len(picture); {
		end := at + 8 + int(binary.BigEndian.Uint32(picture[at:]))
		if end+4 > len(picture) {
			return ""
		}
		if text, found := bytes.CutPrefix(picture[at+8:end], []byte(key+"\x00")); found && string(picture[at+4:at+8]) == "tEXt" {
			return string(text)
		}
		at = end + 4
	}
	return ""
}

package memfault_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

func localFile(content string) *memfault.File {
	return &memfault.File{Name: "dir/local.bin", Size: int64(len(content)), Content: strings.NewReader(content)}
}

func sha256Of(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}

func TestVerifyOffer_SameFile(t *testing.T) {
	cloud, client := newCloud(t)
	device := client.WithAuth(memfault.ProjectKey(projectKey))
	cloud.AddDevices(memfaulttest.Device{Serial: "A 1"})
	cloud.AddReleases(firmware("1.0.0"))
	deploy(t, client, "1.0.0")
	for _, current := range []string{"", "0.9.0"} {
		require.NoError(t, device.Releases.VerifyOffer(t.Context(), latestQuery(current), localFile("firmware 1.0.0")))
	}
	assert.Len(t, cloud.Requests("releases.latest"), 2)
}

func TestVerifyOffer_OtherRelease(t *testing.T) {
	cloud, client := newCloud(t)
	device := client.WithAuth(memfault.ProjectKey(projectKey))
	cloud.AddReleases(firmware("1.0.0"), firmware("2.0.0-test"))
	deploy(t, client, "2.0.0-test") // shadows the newer deployment
	deploy(t, client, "1.0.0")

	err := device.Releases.VerifyOffer(t.Context(), latestQuery(""), localFile("firmware 1.0.0"))
	require.ErrorIs(t, err, memfault.ErrConflict)
	require.NotErrorIs(t, err, memfault.ErrNotFound)
	require.EqualError(t, err, fmt.Sprintf(
		"memfault: VerifyOffer: device A 1 is offered release 2.0.0-test: 2.0.0-test.bin (19 bytes, SHA-256 %s); want local.bin (14 bytes, SHA-256 %s)",
		sha256Of("firmware 2.0.0-test"), sha256Of("firmware 1.0.0")))
	var offer *memfault.OfferError
	require.ErrorAs(t, err, &offer)
	assert.Equal(t, &memfault.OfferError{
		DeviceSerial: "A 1", Filename: "local.bin", Size: 14, SHA256: sha256Of("firmware 1.0.0"),
		UpdateAvailable: true, Reason: "latest", Version: "2.0.0-test",
		Files: []memfault.OfferedFile{{Filename: "2.0.0-test.bin", Size: 19, SHA256: sha256Of("firmware 2.0.0-test")}},
	}, offer)
	assert.NotContains(t, err.Error(), "http", "an error contains no URL")
}

func TestVerifyOffer_DeltaRelease(t *testing.T) {
	cloud, client := newCloud(t)
	device := client.WithAuth(memfault.ProjectKey(projectKey))
	delta := firmware("2.0.0")
	delta.DeltaFrom = "1.0.0"
	cloud.AddReleases(delta)
	cloud.AddDeployments(memfaulttest.Deployment{Release: "2.0.0", DeltaFrom: "1.0.0"})
	err := device.Releases.VerifyOffer(t.Context(), latestQuery("1.0.0"), localFile("the full payload"))
	require.ErrorIs(t, err, memfault.ErrConflict)
	require.ErrorContains(t, err, "is offered delta release to 2.0.0: 2.0.0.bin (14 bytes")
}

func TestVerifyOffer_NoUpdate(t *testing.T) {
	cloud, client := newCloud(t)
	device := client.WithAuth(memfault.ProjectKey(projectKey))
	cloud.AddReleases(firmware("1.0.0"))
	deploy(t, client, "1.0.0")
	err := device.Releases.VerifyOffer(t.Context(), latestQuery("1.0.0"), localFile("firmware 1.0.0"))
	require.ErrorIs(t, err, memfault.ErrNotFound)
	require.NotErrorIs(t, err, memfault.ErrConflict)
	require.EqualError(t, err, fmt.Sprintf(
		"memfault: VerifyOffer: device A 1 is offered no update (reason: latest), want local.bin (14 bytes, SHA-256 %s)", sha256Of("firmware 1.0.0")))

	cloud.RateLimitLatest("A 1")
	err = device.Releases.VerifyOffer(t.Context(), latestQuery(""), localFile("firmware 1.0.0"))
	require.ErrorIs(t, err, memfault.ErrRateLimited)
}

// newOfferServer offers artifacts, as JSON with the URL of the server instead of %s, and serves
// each file with its name as its content.
func newOfferServer(t *testing.T, offer string) *memfault.Client {
	t.Helper()
	_, client := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		name, isFile := strings.CutPrefix(r.URL.Path, "/files/")
		switch {
		case isFile:
			for _, header := range []string{"Authorization", "Memfault-Project-Key", "X-Extra"} {
				assert.Empty(t, r.Header.Get(header), "the download must not send %s", header)
			}
			_, _ = io.WriteString(w, name)
		case offer == "":
			w.WriteHeader(http.StatusNoContent)
		default:
			_, _ = io.WriteString(w, strings.ReplaceAll(offer, "%s", "http://"+r.Host+"/files/"))
		}
	})
	return client.WithAuth(memfault.ProjectKey(projectKey))
}

func TestVerifyOffer_Artifacts(t *testing.T) {
	artifact := func(fields string) string { return `{"url":"%s` + fields + `}` }
	for name, test := range map[string]struct {
		artifacts []string
		want      string // in the error; "" for none
	}{
		"few fields":           {[]string{artifact(`same"`)}, ""},
		"one of two files":     {[]string{artifact(`other"`), artifact(`same","hardware_version":"evt-1","type":"firmware"`)}, ""},
		"other files":          {[]string{artifact(`a"`), artifact(`bc","filename":"b.zck"`)}, "release 9.0.0: a file (1 bytes, SHA-256 " + sha256Of("a") + "), b.zck (2 bytes, SHA-256 " + sha256Of("bc") + "); want local.bin (4 bytes"},
		"same size":            {[]string{artifact(`sane"`)}, sha256Of("sane")},
		"other hardware":       {[]string{artifact(`same","hardware_version":{"name":"evt-2"}`)}, "no file for its hardware version; want"},
		"symbols":              {[]string{artifact(`same","type":"symbols"`)}, "no file for its hardware version"},
		"no files":             {nil, "no file for its hardware version"},
		"truncated on the CDN": {[]string{artifact(`same","file_size":5`)}, "VerifyOffer: release 9.0.0: memfault: artifacts.download: file size mismatch: got 4, want 5"},
		"corrupt on the CDN":   {[]string{artifact(`same","sha256":"` + sha256Of("x") + `"`)}, "file sha256 mismatch"},
	} {
		t.Run(name, func(t *testing.T) {
			client := newOfferServer(t, `{"version":"9.0.0","artifacts":[`+strings.Join(test.artifacts, ",")+`]}`)
			err := client.Releases.VerifyOffer(t.Context(), latestQuery(""), localFile("same"), memfault.WithHeader("X-Extra", "1"))
			if test.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.want)
			if checksum := (*memfault.ChecksumError)(nil); errors.As(err, &checksum) {
				require.ErrorIs(t, err, memfault.ErrUnexpectedResponse)
			} else {
				require.ErrorIs(t, err, memfault.ErrConflict)
			}
			requireNoSecret(t, printAll(err))
		})
	}
	err := newOfferServer(t, "").Releases.VerifyOffer(t.Context(), latestQuery(""), localFile("same"))
	require.ErrorContains(t, err, "is offered no update (reason: none given)")
}

func TestVerifyOffer_InvalidInput(t *testing.T) {
	cloud, client := newCloud(t)
	device := client.WithAuth(memfault.ProjectKey(projectKey))
	long, short := localFile("content"), localFile("content")
	long.Size--
	short.Size++
	broken := &memfault.File{Name: "a", Size: 3, Content: brokenFile{}}
	for want, file := range map[string]*memfault.File{
		"File must not be nil":            nil,
		"File: invalid Name":              {Size: 1, Content: strings.NewReader("x")},
		"content is shorter than Size (8": short,
		"content is longer than Size (6":  long,
		"File: a: the disk is gone":       broken,
	} {
		err := device.Releases.VerifyOffer(t.Context(), latestQuery(""), file)
		require.ErrorIs(t, err, memfault.ErrInvalidArgument)
		requireUnsent(t, cloud, err, want)
	}
	requireUnsent(t, cloud, device.Releases.VerifyOffer(t.Context(), memfault.LatestReleaseQuery{}, localFile("x")), "DeviceSerial must not be empty")
	err := client.Releases.VerifyOffer(t.Context(), latestQuery(""), localFile("x"))
	require.ErrorIs(t, err, memfault.ErrWrongCredential)
	requireUnsent(t, cloud, err, "releases.latest")
}

type brokenFile struct{}

func (brokenFile) ReadAt([]byte, int64) (int, error) { return 0, errors.New("the disk is gone") }

// bigFile has n bytes that are all the same, and fails the test if they are read in large parts.
type bigFile struct{ t *testing.T }

func (f bigFile) ReadAt(p []byte, _ int64) (int, error) {
	assert.LessOrEqual(f.t, len(p), 64<<10)
	clear(p)
	return len(p), nil
}

func TestVerifyOffer_SmallBuffer(t *testing.T) {
	const size = 8 << 20
	_, client := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/big" {
			_, _ = io.CopyN(w, iotest.DataErrReader(zeros{}), size)
			return
		}
		_, _ = fmt.Fprintf(w, `{"version":"9.0.0","artifacts":[{"url":%q}]}`, "http://"+r.Host+"/big")
	})
	client = client.WithAuth(memfault.ProjectKey(projectKey))
	file := &memfault.File{Name: "big", Size: size, Content: io.NewSectionReader(bigFile{t}, 0, size)}
	require.NoError(t, client.Releases.VerifyOffer(t.Context(), latestQuery(""), file))
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// A CI job proves that a device gets the file that it has just deployed.
func ExampleReleasesService_VerifyOffer_afterDeployment() {
	cloud, err := memfaulttest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	cloud.AddReleases(memfaulttest.Release{Version: "1.4.0", Artifacts: []memfaulttest.Artifact{{Content: []byte("the new firmware")}}})
	cloud.AddReleases(memfaulttest.Release{Version: "1.5.0-test", Artifacts: []memfaulttest.Artifact{{Content: []byte("an experiment")}}})
	ids := cloud.AddDeployments(memfaulttest.Deployment{Release: "1.5.0-test"}, memfaulttest.Deployment{Release: "1.4.0"})
	client, ctx := cloud.Client(nil), context.Background()

	device := client.WithAuth(memfault.ProjectKey(cloud.ProjectKey()))
	file := &memfault.File{Name: "firmware.bin", Size: 16, Content: strings.NewReader("the new firmware")} // or memfault.OpenFile
	query := memfault.LatestReleaseQuery{DeviceSerial: "ABCD1234", HardwareVersion: "evt-1", SoftwareType: "main"}

	err = device.Releases.VerifyOffer(ctx, query, file)
	var offer *memfault.OfferError
	if !errors.As(err, &offer) {
		log.Fatal(err)
	}
	fmt.Println("offered instead:", offer.Version)

	if err = client.Deployments.DeactivateByID(ctx, cloud.Project(), ids[0]); err != nil {
		log.Fatal(err)
	}
	fmt.Println("offered now:", device.Releases.VerifyOffer(ctx, query, file))
	// Output:
	// offered instead: 1.5.0-test
	// offered now: <nil>
}

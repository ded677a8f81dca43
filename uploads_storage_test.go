package memfault_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

// bodyRecorder keeps the JSON bodies that are sent, by operation.
type bodyRecorder struct {
	mu     sync.Mutex
	bodies map[string][]string
}

func (b *bodyRecorder) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Header.Get("Content-Type") == "application/json" {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
		b.mu.Lock()
		name := memfault.OperationName(req.Context())
		b.bodies[name] = append(b.bodies[name], string(body))
		b.mu.Unlock()
	}
	return http.DefaultTransport.RoundTrip(req)
}

func newBodyRecorder() (*bodyRecorder, memfault.Option) {
	recorder := &bodyRecorder{bodies: map[string][]string{}}
	return recorder, memfault.WithHTTPClient(&http.Client{Transport: recorder})
}

func TestUpload_PrepareDescribesFile(t *testing.T) {
	const device = `{"device_serial":"S1","hardware_version":"evt-1","software_version":"1.0.0"}`
	identity := memfault.DeviceIdentity{DeviceSerial: "S1", HardwareVersion: "evt-1", SoftwareVersion: "1.0.0"}
	core, _ := fileOf("a.core", "CORE", 100)
	archive, _ := fileOf("a.zip", "PK\x03\x04", 200)
	elfCore, _ := fileOf("a.elf", "\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x04\x00", 300)
	for name, c := range map[string]struct {
		flat, size string
		upload     func(*memfault.UploadsService, memfault.ProjectRef) error
	}{
		"coredump": {`"kind":"COREDUMP",`, "100", func(u *memfault.UploadsService, project memfault.ProjectRef) error {
			return errorOf(u.Coredump(t.Context(), project, core, memfault.CoredumpOptions{DeviceSerial: "S1"}))
		}},
		"bug report": {`"kind":"ANDROID_BUG_REPORT",`, "200", func(u *memfault.UploadsService, project memfault.ProjectRef) error {
			return errorOf(u.BugReport(t.Context(), project, archive, memfault.BugReportOptions{}))
		}},
		"MAR": {`"kind":"MAR","device":` + device + `,`, "200", func(u *memfault.UploadsService, project memfault.ProjectRef) error {
			return errorOf(u.MAR(t.Context(), project, archive, memfault.MAROptions{Device: identity}))
		}},
		"ELF coredump": {`"device":` + device + `,`, "300", func(u *memfault.UploadsService, project memfault.ProjectRef) error {
			return errorOf(u.ELFCoredump(t.Context(), project, elfCore, memfault.ELFCoredumpOptions{Device: identity}))
		}},
	} {
		recorder, option := newBodyRecorder()
		_, client := newCloud(t, option)
		require.NoError(t, c.upload(client.Uploads, sink), name)
		assert.Equal(t, []string{`{"size":` + c.size + `}`}, recorder.bodies["upload.prepare_basic_auth"], name)

		recorder, option = newBodyRecorder()
		_, client = newCloud(t, option)
		require.NoError(t, c.upload(client.WithAuth(memfault.ProjectKey(projectKey)).Uploads, memfault.ProjectRef{}), name)
		require.Len(t, recorder.bodies["upload.prepare_project_key"], 1)
		assert.JSONEq(t, `{`+c.flat+`"size":`+c.size+`}`, recorder.bodies["upload.prepare_project_key"][0], name)
	}
}

func TestUpload_PrepareForPartsKeepsResponse(t *testing.T) {
	const body = `{"data":{"token":"t","parts":[{"number":1,"url":"x"}]}}`
	_, client := newServer(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
	file, _ := fileOf("a.bin", "", 100)
	_, err := client.Uploads.OTAPayload(t.Context(), sink, file, payloadOptions)
	require.ErrorIs(t, err, memfault.ErrUnexpectedResponse)
	require.ErrorContains(t, err, "may want the file in parts")
	assert.Len(t, requireError(t, err, http.StatusOK).Body, len(body), "the whole response is kept")
}

// storageErrorBody is an error in the form of Amazon S3.
func storageErrorBody(code, message string) string {
	return `<?xml version="1.0" encoding="UTF-8"?>` + "\n<Error><Code>" + code + "</Code><Message>" + message + "</Message><RequestId>R1</RequestId></Error>"
}

func storageFault(status int, code string, times int) memfaulttest.Fault {
	return memfaulttest.Fault{Operation: putFile, Status: status, Body: storageErrorBody(code, "why &amp; how"), ContentType: "application/xml", Times: times}
}

func TestUpload_TemporaryStorageFailuresRetried(t *testing.T) {
	for name, fault := range map[string]memfaulttest.Fault{
		"500":            storageFault(500, "InternalError", 2),
		"RequestTimeout": storageFault(400, "RequestTimeout", 2),
		"503":            storageFault(503, "SlowDown", 2),
	} {
		cloud, client := newCloud(t)
		cloud.Fail(fault)
		file, content := fileOf("a.bin", "", 5000)
		result, err := client.Uploads.OTAPayload(t.Context(), sink, file, payloadOptions)
		require.NoError(t, err, name)
		assert.Equal(t, md5Of(content), result.MD5)
		assert.Len(t, cloud.Requests("upload.prepare_basic_auth"), 1, name)
		assert.Len(t, cloud.Requests(putFile), 3, name)
	}
}

func TestUpload_ExpiredURLIsRenewedOnce(t *testing.T) {
	for _, c := range []struct{ times, prepared int }{{1, 2}, {2, 2}} {
		cloud, client := newCloud(t)
		cloud.Fail(storageFault(403, "AccessDenied", c.times))
		file, _ := fileOf("a.bin", "", 5000)
		_, err := client.Uploads.OTAPayload(t.Context(), sink, file, payloadOptions)
		if c.times == 1 {
			require.NoError(t, err)
		} else {
			got := requireError(t, err, 403)
			assert.Equal(t, "AccessDenied", got.Type)
			assert.Equal(t, "why & how", got.Message)
			require.ErrorContains(t, err, "upload.put_file: 403 Forbidden: AccessDenied: why & how")
		}
		assert.Len(t, cloud.Requests("upload.prepare_basic_auth"), c.prepared)
	}
	cloud, client := newCloud(t)
	cloud.Fail(storageFault(403, "AccessDenied", 1))
	file, _ := fileOf("a.bin", "", 5000)
	_, err := client.Uploads.OTAPayload(t.Context(), sink, file, payloadOptions, memfault.WithoutRetry())
	require.ErrorIs(t, err, memfault.ErrForbidden)
	assert.Len(t, cloud.Requests("upload.prepare_basic_auth"), 1, "WithoutRetry sends each request once")
}

func TestUpload_TooLarge(t *testing.T) {
	cloud, client := newCloud(t)
	huge := &memfault.File{Name: "a.bin", Size: 5<<30 + 1, Content: zeroes{}}
	_, err := client.Uploads.OTAPayload(t.Context(), sink, huge, payloadOptions)
	require.ErrorIs(t, err, memfault.ErrTooLarge)
	require.ErrorIs(t, err, memfault.ErrInvalidArgument)
	require.ErrorContains(t, err, "5 GiB")
	assert.Empty(t, cloud.Requests(""))

	cloud.Fail(storageFault(400, "EntityTooLarge", 0))
	file, _ := fileOf("a.bin", "", 5000)
	_, err = client.Uploads.OTAPayload(t.Context(), sink, file, payloadOptions)
	require.ErrorIs(t, err, memfault.ErrTooLarge)
	assert.Len(t, cloud.Requests(putFile), 1)
}

func TestUpload_FailedCommitReportsArrivedFile(t *testing.T) {
	for name, c := range map[string]struct {
		fault memfaulttest.Fault
		kind  error
	}{
		"lost":     {memfaulttest.Fault{Operation: "upload.commit_ota_payload", DropResponse: true, Times: 1}, memfault.ErrNoAnswer},
		"rejected": {memfaulttest.Fault{Operation: "upload.commit_ota_payload", Status: 403, Times: 1}, memfault.ErrForbidden},
	} {
		cloud, client := newCloud(t)
		cloud.Fail(c.fault)
		file, _ := fileOf("a.bin", "", 5000)
		_, err := client.Uploads.OTAPayload(t.Context(), sink, file, payloadOptions)
		require.ErrorIs(t, err, c.kind, name)
		assert.Equal(t, name == "lost", strings.Contains(err.Error(), "the file itself arrived, and it is safe to upload it again"), name)
		result, err := client.Uploads.OTAPayload(t.Context(), sink, file, payloadOptions)
		require.NoError(t, err, name)
		assert.Equal(t, name == "lost", result.AlreadyUploaded, "a lost commit was carried out")
	}
}

func TestOTAPayload_ContentElsewhereIsConflict(t *testing.T) {
	cloud, client := newCloud(t)
	file, content := fileOf("a.bin", "", 5000)
	other, _ := fileOf("b.bin", "other", 5000)
	upload := func(file *memfault.File, change func(*memfault.OTAPayloadOptions)) (*memfault.UploadResult, error) {
		options := payloadOptions
		change(&options)
		return client.Uploads.OTAPayload(t.Context(), sink, file, options)
	}
	same := func(*memfault.OTAPayloadOptions) {}
	_, err := upload(file, same)
	require.NoError(t, err)
	result, err := upload(file, same)
	require.NoError(t, err)
	assert.Equal(t, &memfault.UploadResult{AlreadyUploaded: true, MD5: md5Of(content), Size: 5000}, result)

	_, err = upload(other, func(o *memfault.OTAPayloadOptions) { o.HardwareVersion = "dvt" })
	require.NoError(t, err)
	for want, change := range map[string]func(*memfault.OTAPayloadOptions){
		"release 2.0.0 has no file for hardware version pvt":             func(o *memfault.OTAPayloadOptions) { o.HardwareVersion = "pvt" },
		"release 2.0.0 has another file for hardware version dvt, b.bin": func(o *memfault.OTAPayloadOptions) { o.HardwareVersion = "dvt" },
		"release 2.0.1 does not exist":                                   func(o *memfault.OTAPayloadOptions) { o.SoftwareVersion = "2.0.1" },
		"Memfault does not return the files of a delta release":          func(o *memfault.OTAPayloadOptions) { o.DeltaFrom = "1.9.0" },
	} {
		_, err = upload(file, change)
		require.ErrorIs(t, err, memfault.ErrConflict, want)
		require.ErrorContains(t, err, "nothing was uploaded")
		require.ErrorContains(t, err, want)
		requireError(t, err, http.StatusConflict)
	}
	cloud.Fail(memfaulttest.Fault{Operation: "releases.retrieve", Status: 403})
	_, err = upload(file, same)
	require.ErrorIs(t, err, memfault.ErrConflict)
	require.ErrorContains(t, err, "cannot be looked up")
}

func TestOTAPayload_IfMissingSendsOnce(t *testing.T) {
	cloud, client := newCloud(t)
	file, content := fileOf("a.bin", "", 5000)
	options := payloadOptions
	options.IfMissing = true
	for run := range 3 {
		result, err := client.Uploads.OTAPayload(t.Context(), sink, file, options)
		require.NoError(t, err)
		assert.Equal(t, &memfault.UploadResult{AlreadyUploaded: run > 0, MD5: md5Of(content), Size: 5000}, result)
	}
	assert.Len(t, cloud.Requests("upload.prepare_basic_auth"), 1)
	assert.Len(t, cloud.Requests(putFile), 1)

	fresh, _ := fileOf("b.bin", "fresh", 5000)
	options.SoftwareVersion = "2.1.0"
	cloud.Fail(memfaulttest.Fault{Operation: "releases.retrieve", Status: 403})
	result, err := client.Uploads.OTAPayload(t.Context(), sink, fresh, options)
	require.NoError(t, err, "a token that may only upload")
	assert.False(t, result.AlreadyUploaded)

	cloud.Heal()
	cloud.Fail(memfaulttest.Fault{Operation: "releases.retrieve", Status: 500})
	_, err = client.Uploads.OTAPayload(t.Context(), sink, fresh, options)
	requireError(t, err, http.StatusInternalServerError)
	_, err = client.Uploads.OTAPayload(t.Context(), sink, &memfault.File{Name: "x", Size: 10, Content: strings.NewReader("short")}, options)
	require.ErrorIs(t, err, memfault.ErrInvalidArgument)
	_, err = client.WithAuth(memfault.ProjectKey(projectKey)).Uploads.OTAPayload(t.Context(), sink, fresh, options)
	require.ErrorIs(t, err, memfault.ErrWrongCredential)
}

func TestArtifactsUpload_ContentElsewhereIsConflict(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.AddReleases(memfaulttest.Release{Version: "1.0.0"})
	cloud.AddReleases(memfaulttest.Release{Version: "1.1.0"})
	file, _ := fileOf("a.bin", "", 5000)
	options := memfault.ArtifactUploadOptions{Type: memfault.ArtifactTypeFirmware, HardwareVersion: "evt-1"}
	_, err := client.Artifacts.Upload(t.Context(), sink, "1.0.0", file, options)
	require.NoError(t, err)
	_, err = client.Artifacts.Upload(t.Context(), sink, "1.1.0", file, options)
	require.ErrorIs(t, err, memfault.ErrConflict)
	require.ErrorContains(t, err, "release 1.1.0 has no file for hardware version evt-1")
}

func TestSymbols_ContentElsewhereIsConflict(t *testing.T) {
	_, client := newCloud(t)
	mapping, _ := fileOf("mapping.txt", "com.acme.App -> a:", 5000)
	options := memfault.SymbolsOptions{SoftwareType: "com.acme", SoftwareVersion: "1.0:1"}
	for _, before := range []bool{false, true} {
		result, err := client.Uploads.Symbols(t.Context(), sink, mapping, options)
		require.NoError(t, err)
		assert.Equal(t, before, result.AlreadyUploaded)
	}
	options.SoftwareVersion = "1.1:2"
	_, err := client.Uploads.Symbols(t.Context(), sink, mapping, options)
	require.ErrorIs(t, err, memfault.ErrConflict)
	require.ErrorContains(t, err, "software version 1.1:2 of type com.acme does not exist")
}

func TestCustomDataRecording_OptionalFields(t *testing.T) {
	recorder, option := newBodyRecorder()
	_, client := newCloud(t, option)
	device := memfault.DeviceIdentity{DeviceSerial: "S1", HardwareVersion: "evt-1", SoftwareVersion: "1.0.0"}
	for i, options := range []memfault.CustomDataRecordingOptions{
		{Device: device, MIMETypes: []string{"text/csv"}},
		{Device: device, MIMETypes: []string{"text/csv"}, Reason: "button", StartTime: memfault.NewTimestamp(time.Unix(0, 0)), DurationSeconds: 5},
	} {
		file, _ := fileOf("a.csv", fmt.Sprint("recording ", i), 100)
		_, err := client.Uploads.CustomDataRecording(t.Context(), sink, file, options)
		require.NoError(t, err)
	}
	bodies := recorder.bodies["upload.commit_custom_data_recording_project"]
	require.Len(t, bodies, 2)
	assert.NotContains(t, bodies[0], "start_time")
	assert.NotContains(t, bodies[0], "reason")
	assert.Contains(t, bodies[1], `"start_time":"1970-01-01T00:00:00Z"`)
	assert.Contains(t, bodies[1], `"reason":"button"`)
}

func TestUpload_ChangingFileIsInvalidArgument(t *testing.T) {
	_, client := newCloud(t)
	content := bytes.Repeat([]byte("x"), 100_000)
	file := &changing{content: content, after: 50_000, changeTo: 60_000}
	file.size.Store(100_000)
	_, err := client.Uploads.OTAPayload(context.WithoutCancel(t.Context()), sink, &memfault.File{Name: "a.bin", Size: 100_000, Content: file}, payloadOptions)
	require.ErrorIs(t, err, memfault.ErrInvalidArgument)
	require.NotErrorIs(t, err, memfault.ErrNoAnswer)
}

// earlyStorage rejects each upload with 413 as soon as it has read the header, and resets the
// connection.
func earlyStorage(t *testing.T) (address string, puts *atomic.Int64) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	puts = new(atomic.Int64)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			puts.Add(1)
			_, _ = http.ReadRequest(bufio.NewReaderSize(conn, 16))
			const body = "<Error><Code>EntityTooLarge</Code><Message>above 5 GiB</Message></Error>"
			_, _ = fmt.Fprintf(conn, "HTTP/1.1 413 Request Entity Too Large\r\nContent-Type: application/xml\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(body), body)
			_ = conn.(*net.TCPConn).SetLinger(0)
			_ = conn.Close()
		}
	}()
	return "http://" + listener.Addr().String() + "/file?signature=s3cret", puts
}

func TestUpload_EarlyResponseOfStorageIsKept(t *testing.T) {
	for range 10 {
		address, puts := earlyStorage(t)
		_, client := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprintf(w, `{"data":{"upload_url":%q,"token":"t"}}`, address)
		})
		content := bytes.Repeat([]byte("firmware"), 1<<20)
		file := &memfault.File{Name: "a.bin", Size: int64(len(content)), Content: bytes.NewReader(content)}
		_, err := client.Uploads.OTAPayload(t.Context(), sink, file, memfault.OTAPayloadOptions{HardwareVersion: "evt", SoftwareType: "main", SoftwareVersion: "1.0.0"})
		got := requireError(t, err, http.StatusRequestEntityTooLarge)
		require.ErrorIs(t, err, memfault.ErrTooLarge)
		assert.Equal(t, "EntityTooLarge", got.Type)
		assert.Equal(t, int64(1), puts.Load(), "the file must not be sent again")
	}
}

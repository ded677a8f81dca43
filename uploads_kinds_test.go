package memfault_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

// elfCore is the start of a little-endian ELF core file.
const elfCore = "\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x04\x00"

// uploadCase is an upload of one kind, for any client and project.
type uploadCase struct {
	kind, start string
	flat        bool   // whether it accepts a project key
	commit      string // the fields besides the file
	upload      func(ctx context.Context, u *memfault.UploadsService, ref memfault.ProjectRef, file *memfault.File, opts ...memfault.CallOption) (*memfault.UploadResult, error)
}

func uploadCases() []uploadCase {
	at := memfault.NewTimestamp(time.Date(2025, 2, 27, 13, 0, 0, 5e8, time.FixedZone("", 3600)))
	type (
		uploads = memfault.UploadsService
		project = memfault.ProjectRef
		file    = memfault.File
		option  = memfault.CallOption
		result  = memfault.UploadResult
	)
	const device = `"device_serial":"S1","hardware_version":"evt-1","software_version":"1.0.0+8219de","software_type":"main"`
	return []uploadCase{
		{"symbols", string(memfaulttest.SymbolFile([]byte{0xC0, 0xFF, 0xEE})), false, `{}`, func(ctx context.Context, u *uploads, ref project, f *file, o ...option) (*result, error) {
			return u.Symbols(ctx, ref, f, memfault.SymbolsOptions{}, o...)
		}},
		{"symbols", "com.acme.App -> a:", false, `{"software_version":{"version":"1.0:7","software_type":"com.acme","revision":"8219de"}}`, func(ctx context.Context, u *uploads, ref project, f *file, o ...option) (*result, error) {
			return u.Symbols(ctx, ref, f, memfault.SymbolsOptions{SoftwareType: "com.acme", SoftwareVersion: "1.0:7", Revision: "8219de"}, o...)
		}},
		{"ota_payload", "1", false, `{"software_version":{"version":"2.0.0","software_type":"main"},"hardware_version":"evt-1","must_pass_through":false,"notes":""}`, func(ctx context.Context, u *uploads, ref project, f *file, o ...option) (*result, error) {
			return u.OTAPayload(ctx, ref, f, payloadOptions, o...)
		}},
		{"ota_payload", "2", false, `{"software_version":{"version":["1.0.0","2.0.0"],"software_type":"main","revision":"r"},"hardware_version":"evt-1","must_pass_through":true,"notes":"n","extra_info":{"a":"b"}}`, func(ctx context.Context, u *uploads, ref project, f *file, o ...option) (*result, error) {
			return u.OTAPayload(ctx, ref, f, memfault.OTAPayloadOptions{
				HardwareVersion: "evt-1", SoftwareType: "main", SoftwareVersion: "2.0.0", DeltaFrom: "1.0.0",
				Revision: "r", Notes: "n", MustPassThrough: true, ExtraInfo: map[string]string{"a": "b"},
			}, o...)
		}},
		{"sbom", "", false, `{"software_version":"1.0.0","software_type":"main"}`, func(ctx context.Context, u *uploads, ref project, f *file, o ...option) (*result, error) {
			return u.SBOM(ctx, ref, f, memfault.SBOMOptions{SoftwareType: "main", SoftwareVersion: "1.0.0"}, o...)
		}},
		{"coredump", "CORE", true, `{"device_serial":"S1"}`, func(ctx context.Context, u *uploads, ref project, f *file, o ...option) (*result, error) {
			return u.Coredump(ctx, ref, f, memfault.CoredumpOptions{DeviceSerial: "S1"}, o...)
		}},
		{"coredump", "CORE2", true, `{}`, func(ctx context.Context, u *uploads, ref project, f *file, o ...option) (*result, error) {
			return u.Coredump(ctx, ref, f, memfault.CoredumpOptions{}, o...)
		}},
		{"elf_coredump", elfCore, true, `{"device":{` + device + `}}`, func(ctx context.Context, u *uploads, ref project, f *file, o ...option) (*result, error) {
			return u.ELFCoredump(ctx, ref, f, memfault.ELFCoredumpOptions{Device: traits}, o...)
		}},
		{"bugreport", "PK\x03\x04", true, `{}`, func(ctx context.Context, u *uploads, ref project, f *file, o ...option) (*result, error) {
			return u.BugReport(ctx, ref, f, memfault.BugReportOptions{}, o...)
		}},
		{"mar", "PK\x03\x04", true, `{` + device + `}`, func(ctx context.Context, u *uploads, ref project, f *file, o ...option) (*result, error) {
			return u.MAR(ctx, ref, f, memfault.MAROptions{Device: traits}, o...)
		}},
		{"custom_data_recording", "", true, `{"device":{` + device + `},"start_time":"2025-02-27T12:00:00.500000Z","duration_secs":60,"mimetypes":["application/gzip","text/csv"],"reason":"button"}`, func(ctx context.Context, u *uploads, ref project, f *file, o ...option) (*result, error) {
			return u.CustomDataRecording(ctx, ref, f, memfault.CustomDataRecordingOptions{
				Device: traits, StartTime: at, DurationSeconds: 60, MIMETypes: []string{"application/gzip", "text/csv"}, Reason: "button",
			}, o...)
		}},
		{"xed", "1", true, `{"device_serial":"S1","hardware_version":"evt-1","trace_attributes":[]}`, func(ctx context.Context, u *uploads, ref project, f *file, o ...option) (*result, error) {
			return u.XED(ctx, ref, f, memfault.XEDOptions{DeviceSerial: "S1", HardwareVersion: "evt-1"}, o...)
		}},
		{"xed", "2", true, `{"device_serial":"S1","hardware_version":"evt-1","trace_attributes":[{"string_key":"imei","value":7}]}`, func(ctx context.Context, u *uploads, ref project, f *file, o ...option) (*result, error) {
			return u.XED(ctx, ref, f, memfault.XEDOptions{DeviceSerial: "S1", HardwareVersion: "evt-1", TraceAttributes: []memfault.AttributeValue{{StringKey: "imei", Value: 7}}}, o...)
		}},
	}
}

type customAuth func(*http.Request)

func (a customAuth) Authenticate(r *http.Request) error { a(r); return nil }

func TestUpload_EveryKindAndCredential(t *testing.T) {
	for name, auth := range map[string]struct {
		memfault.Authenticator
		ref  memfault.ProjectRef
		flat bool
	}{
		"organization token": {memfault.OrganizationToken(organizationToken), sink, false},
		"api key":            {memfault.BasicAPIKey(email, apiKey), sink, false},
		"project key":        {memfault.ProjectKey(projectKey), memfault.ProjectRef{}, true},
		"key and project":    {memfault.ProjectKey(projectKey), sink, true},
		"custom":             {customAuth(func(r *http.Request) { r.SetBasicAuth("", organizationToken) }), sink, false},
		"custom flat":        {customAuth(func(r *http.Request) { r.Header.Set("Memfault-Project-Key", projectKey) }), memfault.ProjectRef{}, true},
	} {
		for i, c := range uploadCases() {
			t.Run(fmt.Sprintf("%s/%d %s", name, i, c.kind), func(t *testing.T) {
				cloud, client := newCloud(t)
				client = client.WithAuth(auth.Authenticator)
				file, content := fileOf("a.bin", c.start, 5000)
				result, err := c.upload(t.Context(), client.Uploads, auth.ref, file)
				if auth.flat && !c.flat {
					require.Error(t, err)
					if !strings.HasPrefix(name, "custom") {
						require.ErrorIs(t, err, memfault.ErrWrongCredential)
					}
					assert.Empty(t, cloud.Requests(""), "no request must be sent")
					return
				}
				require.NoError(t, err)
				assert.Equal(t, md5Of(content), result.MD5)
				uploaded := cloud.Uploads()
				require.Len(t, uploaded, 1)
				assert.Equal(t, c.kind, uploaded[0].Kind)
				delete(uploaded[0].Commit, "file")
				said, err := json.Marshal(uploaded[0].Commit)
				require.NoError(t, err)
				assert.JSONEq(t, c.commit, string(said))
				for _, seen := range cloud.Requests("") {
					assert.NotEqual(t, auth.flat, strings.Contains(seen.Path, "/organizations/") || seen.Operation == putFile && !auth.flat, seen.Path)
				}
			})
		}
	}
}

func TestUpload_HalfProject(t *testing.T) {
	cloud, client := newCloud(t)
	for _, auth := range []memfault.Authenticator{
		memfault.OrganizationToken(organizationToken), memfault.ProjectKey(projectKey), customAuth(func(*http.Request) {}),
	} {
		file, _ := fileOf("a.bin", "CORE", 100)
		_, err := client.WithAuth(auth).Uploads.Coredump(t.Context(), memfault.ProjectRef{Organization: "acme"}, file, memfault.CoredumpOptions{})
		require.ErrorContains(t, err, "an organization without a project")
	}
	file, _ := fileOf("a.bin", "CORE", 100)
	_, err := client.Uploads.Coredump(t.Context(), memfault.ProjectRef{}, file, memfault.CoredumpOptions{})
	require.ErrorContains(t, err, "organization_slug must not be empty")
	assert.Empty(t, cloud.Requests(""))
}

func TestUpload_InvalidInput(t *testing.T) {
	cloud, client := newCloud(t)
	ctx, u := t.Context(), client.Uploads
	const shared = "\x7fELF\x01\x02\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x03" // big-endian
	for want, do := range map[string]func(*memfault.File) error{
		"not a coredump of Memfault's firmware SDK": func(f *memfault.File) error {
			_, err := u.Coredump(ctx, sink, f, memfault.CoredumpOptions{})
			return err
		},
		"unexpected ELF type ET_DYN, want ET_CORE": func(f *memfault.File) error {
			_, err := u.ELFCoredump(ctx, sink, f, memfault.ELFCoredumpOptions{Device: traits})
			return err
		},
		"not a zip file": func(f *memfault.File) error {
			_, err := u.BugReport(ctx, sink, f, memfault.BugReportOptions{})
			return err
		},
		"a.bin: not a zip file": func(f *memfault.File) error {
			_, err := u.MAR(ctx, sink, f, memfault.MAROptions{Device: traits})
			return err
		},
		"firmware SDK": func(f *memfault.File) error {
			_, err := u.RawCoredump(ctx, f)
			return err
		},
		"Device.DeviceSerial must not be empty": func(f *memfault.File) error {
			_, err := u.MAR(ctx, sink, f, memfault.MAROptions{})
			return err
		},
		"Device.HardwareVersion must not be empty": func(f *memfault.File) error {
			_, err := u.ELFCoredump(ctx, sink, f, memfault.ELFCoredumpOptions{Device: memfault.DeviceIdentity{DeviceSerial: "S1"}})
			return err
		},
		"Device.SoftwareVersion must not be empty": func(f *memfault.File) error {
			_, err := u.CustomDataRecording(ctx, sink, f, memfault.CustomDataRecordingOptions{Device: memfault.DeviceIdentity{DeviceSerial: "S1", HardwareVersion: "x"}})
			return err
		},
		"MIMETypes must not be empty": func(f *memfault.File) error {
			_, err := u.CustomDataRecording(ctx, sink, f, memfault.CustomDataRecordingOptions{Device: traits})
			return err
		},
		"year 10000 is not within": func(f *memfault.File) error {
			at := memfault.NewTimestamp(time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC))
			_, err := u.CustomDataRecording(ctx, sink, f, memfault.CustomDataRecordingOptions{Device: traits, MIMETypes: []string{"text/csv"}, StartTime: at})
			return err
		},
		"OTAPayloadOptions: SoftwareVersion must not be empty": func(f *memfault.File) error {
			_, err := u.OTAPayload(ctx, sink, f, memfault.OTAPayloadOptions{HardwareVersion: "x", SoftwareType: "main"})
			return err
		},
		"SBOMOptions: SoftwareType must not be empty": func(f *memfault.File) error {
			_, err := u.SBOM(ctx, sink, f, memfault.SBOMOptions{SoftwareVersion: "1"})
			return err
		},
		"SymbolsOptions: SoftwareVersion must not be empty": func(f *memfault.File) error {
			_, err := u.Symbols(ctx, sink, f, memfault.SymbolsOptions{SoftwareType: "main"})
			return err
		},
		"XEDOptions: HardwareVersion must not be empty": func(f *memfault.File) error {
			_, err := u.XED(ctx, sink, f, memfault.XEDOptions{DeviceSerial: "S1"})
			return err
		},
		"encode the request body": func(f *memfault.File) error {
			_, err := u.XED(ctx, sink, f, memfault.XEDOptions{DeviceSerial: "S1", HardwareVersion: "x", TraceAttributes: []memfault.AttributeValue{{StringKey: "a", Value: func() {}}}})
			return err
		},
		"ArtifactUploadOptions: Type must not be empty": func(f *memfault.File) error {
			_, err := client.Artifacts.Upload(ctx, sink, "1.0.0", f, memfault.ArtifactUploadOptions{})
			return err
		},
		"TraceImport: SoftwareType must not be empty": func(*memfault.File) error {
			return u.ImportTrace(ctx, memfault.TraceImport{DeviceIdentity: memfault.DeviceIdentity{DeviceSerial: "S1", HardwareVersion: "x", SoftwareVersion: "1"}})
		},
	} {
		file, _ := fileOf("a.bin", shared, 100)
		require.ErrorContains(t, do(file), want)
	}
	assert.Empty(t, cloud.Requests(""))
}

func TestOTAPayload_CreatesRelease(t *testing.T) {
	_, client := newCloud(t)
	file, content := fileOf("a.bin", "", 100)
	_, err := client.Uploads.OTAPayload(t.Context(), sink, file, memfault.OTAPayloadOptions{HardwareVersion: "evt-1", SoftwareType: "main", SoftwareVersion: "2.0.0+b/1", Notes: "n"})
	require.NoError(t, err)
	release, err := client.Releases.Get(t.Context(), sink, "2.0.0+b/1")
	require.NoError(t, err)
	assert.Equal(t, "n", release.Notes)
	require.Len(t, release.Artifacts, 1)
	assert.Equal(t, md5Of(content), release.Artifacts[0].MD5)
}

func ExampleUploadsService_OTAPayload() {
	cloud, err := memfaulttest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	client := cloud.Client(nil)

	file := &memfault.File{Name: "sink-2.0.0.bin", Size: 10, Content: strings.NewReader("new things")} // or OpenFile
	for range 2 {
		result, err := client.Uploads.OTAPayload(context.Background(), cloud.Project(), file, memfault.OTAPayloadOptions{
			HardwareVersion: "evt-1", SoftwareType: "main", SoftwareVersion: "2.0.0",
		})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(result.Size, result.MD5, result.AlreadyUploaded)
	}
	// Output:
	// 10 99b3060decde244a7f19107591754a09 false
	// 10 99b3060decde244a7f19107591754a09 true
}

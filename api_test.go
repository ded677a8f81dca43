package memfault_test

import (
	"context"
	"encoding/json"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/memfault-go/memfault"
)

// Programs are compiled against these names and signatures. Changing one of them requires a
// new major version.
var (
	_ func(memfault.Authenticator, ...memfault.Option) (*memfault.Client, error)                   = memfault.NewClient
	_ func(*memfault.Client, memfault.Authenticator) *memfault.Client                              = (*memfault.Client).WithAuth
	_ func(*memfault.Client, context.Context, memfault.Request, any, ...memfault.CallOption) error = (*memfault.Client).Do
	_ func(*memfault.Client, memfault.Request) *memfault.Pager[any]                                = memfault.NewPager[any]
	_ func(*memfault.Client)                                                                       = (*memfault.Client).CloseIdleConnections
	_ func(context.Context) string                                                                 = memfault.OperationName
	_ func(...int) *memfault.Pager[int]                                                            = memfault.PagerOf[int]

	_ func(string) memfault.Option                                   = memfault.WithBaseURL
	_ func(memfault.BaseURLs) memfault.Option                        = memfault.WithBaseURLs
	_ func(*http.Client) memfault.Option                             = memfault.WithHTTPClient
	_ func(memfault.RetryPolicy) memfault.Option                     = memfault.WithRetry
	_ func(time.Duration) memfault.Option                            = memfault.WithTimeout
	_ func(*slog.Logger) memfault.Option                             = memfault.WithLogger
	_ func(func(context.Context, memfault.Attempt)) memfault.Option  = memfault.WithObserver
	_ func(interface{ Wait(context.Context) error }) memfault.Option = memfault.WithRateLimiter
	_ func(string) memfault.Option                                   = memfault.WithUserAgent
	_ func() memfault.Option                                         = memfault.WithInsecureHTTP

	_ memfault.Authenticator                                             = interface{ Authenticate(*http.Request) error }(nil)
	_ func(email, password string) memfault.Authenticator                = memfault.BasicPassword
	_ func(email, key string) memfault.Authenticator                     = memfault.BasicAPIKey
	_ func(string) memfault.Authenticator                                = memfault.OrganizationToken
	_ func(string) memfault.Authenticator                                = memfault.ProjectKey
	_ func(func(context.Context) (string, error)) memfault.Authenticator = memfault.OrganizationTokenFunc
	_ func(func(context.Context) (string, error)) memfault.Authenticator = memfault.ProjectKeyFunc
	_ func() (memfault.Authenticator, error)                             = memfault.AuthFromEnv
	_ func() (memfault.ProjectRef, error)                                = memfault.ProjectFromEnv

	_ func(*memfault.Pager[int], context.Context) iter.Seq2[int, error]                 = (*memfault.Pager[int]).All
	_ func(*memfault.Pager[int], context.Context) iter.Seq2[*memfault.Page[int], error] = (*memfault.Pager[int]).Pages
	_ func(*memfault.Pager[int], context.Context) (*memfault.Page[int], error)          = (*memfault.Pager[int]).Page
	_ func(*memfault.Pager[int], context.Context) ([]int, error)                        = (*memfault.Pager[int]).Collect
	_ func(*memfault.Pager[int], int) *memfault.Pager[int]                              = (*memfault.Pager[int]).Prefetch

	_ func(memfault.ProjectRef, memfault.AppPage) string = memfault.AppURL

	_ func(time.Time) memfault.Timestamp                = memfault.NewTimestamp
	_ func(string) memfault.Opt[string]                 = memfault.Set[string]
	_ func() memfault.Opt[string]                       = memfault.Null[string]
	_ func(*memfault.Response) memfault.CallOption      = memfault.WithResponse
	_ func(string, string) memfault.CallOption          = memfault.WithHeader
	_ func() memfault.CallOption                        = memfault.WithoutRetry
	_ func(func(sent, total int64)) memfault.CallOption = memfault.WithProgress

	_ func(*memfault.CoredumpsService, context.Context, memfault.ProjectRef, int64, string, memfault.IssueDownloadOptions, ...memfault.CallOption) ([]memfault.IssueFile, error) = (*memfault.CoredumpsService).DownloadIssue

	_ func(*memfault.IssuesService, context.Context, memfault.ProjectRef, memfault.WatchOptions, ...memfault.CallOption) iter.Seq2[memfault.WatchItem[memfault.Issue], error]           = (*memfault.IssuesService).Watch
	_ func(*memfault.TracesService, context.Context, memfault.ProjectRef, memfault.WatchOptions, ...memfault.CallOption) iter.Seq2[memfault.WatchItem[memfault.Trace], error]           = (*memfault.TracesService).Watch
	_ func(*memfault.DevicesService, context.Context, memfault.ProjectRef, string, memfault.WatchOptions, ...memfault.CallOption) iter.Seq2[memfault.WatchItem[memfault.Reboot], error] = (*memfault.DevicesService).WatchReboots
	_ func(memfault.WatchItem[int]) memfault.WatchCursor                                                                                                                                = memfault.WatchItem[int].Cursor

	_ func(*memfault.ChunksService, context.Context, string, [][]byte, ...memfault.CallOption) error                                         = (*memfault.ChunksService).Upload
	_ func(*memfault.ChunksService, memfault.ChunkSenderOptions) *memfault.ChunkSender                                                       = (*memfault.ChunksService).NewSender
	_ func(*memfault.ChunkSender, context.Context, string, []byte, func(error)) error                                                        = (*memfault.ChunkSender).Send
	_ func(*memfault.ChunkSender, context.Context) error                                                                                     = (*memfault.ChunkSender).Flush
	_ func(*memfault.ChunkSender, context.Context) error                                                                                     = (*memfault.ChunkSender).Close
	_ func(*memfault.ChunkSender) memfault.ChunkSenderStats                                                                                  = (*memfault.ChunkSender).Stats
	_ func(*memfault.ChunkSender)                                                                                                            = (*memfault.ChunkSender).Resume
	_ func(io.Reader) iter.Seq2[[]byte, error]                                                                                               = memfault.DecodeChunkExport
	_ func(string) (*memfault.File, error)                                                                                                   = memfault.OpenFile
	_ func(*memfault.ReleasesService, context.Context, memfault.LatestReleaseQuery, ...memfault.CallOption) (*memfault.LatestRelease, error) = (*memfault.ReleasesService).Latest

	_ func(*memfault.DeploymentsService, context.Context, memfault.ProjectRef, memfault.DeploymentCreate, ...memfault.CallOption) (*memfault.Deployment, error)                    = (*memfault.DeploymentsService).Ensure
	_ func(*memfault.DeploymentsService, context.Context, memfault.ProjectRef, string, ...memfault.CallOption) ([]memfault.Deployment, error)                                      = (*memfault.DeploymentsService).Active
	_ func(*memfault.ReleasesService, context.Context, memfault.LatestReleaseQuery, *memfault.File, ...memfault.CallOption) error                                                  = (*memfault.ReleasesService).VerifyOffer
	_ func(*memfault.DevicesService, context.Context, memfault.ProjectRef, string, string, memfault.WaitOptions, ...memfault.CallOption) (*memfault.Device, error)                 = (*memfault.DevicesService).WaitForVersion
	_ func(*memfault.CohortsService, context.Context, memfault.ProjectRef, string, string, float64, memfault.WaitOptions, ...memfault.CallOption) (*memfault.VersionCounts, error) = (*memfault.CohortsService).WaitForVersion

	_ func(http.Header, []byte, ...string) error                                                      = memfault.VerifyWebhook
	_ func(http.Header, []byte) (*memfault.WebhookEvent, error)                                       = memfault.ParseWebhook
	_ func(memfault.WebhookOptions, func(context.Context, *memfault.WebhookEvent) error) http.Handler = memfault.NewWebhookHandler
	_ func(string, []byte) http.Header                                                                = memfault.SignWebhook
	_ func(*memfault.WebhookEvent, any) error                                                         = (*memfault.WebhookEvent).Decode

	_ func(*memfault.MCPService, context.Context, memfault.ProjectRef, ...memfault.CallOption) ([]memfault.MCPTool, error) = (*memfault.MCPService).ListTools
	_ func(*memfault.MCPService, context.Context, memfault.ProjectRef, string, any, any, ...memfault.CallOption) error     = (*memfault.MCPService).CallTool
	_ func(string) (memfault.ChunksAddress, error)                                                                         = memfault.ParseChunksURL

	_ func(...memfault.Option) (*memfault.Client, memfault.ProjectRef, error)                                                                                                            = memfault.NewClientFromEnv
	_ func(*memfault.CohortsService, context.Context, memfault.ProjectRef, string, ...memfault.CallOption) (*memfault.VersionCounts, error)                                              = (*memfault.CohortsService).CountVersions
	_ func(*memfault.DeploymentsService, context.Context, memfault.ProjectRef, memfault.DeploymentCreate, memfault.RolloutOptions, ...memfault.CallOption) (*memfault.Deployment, error) = (*memfault.DeploymentsService).EnsureRollout
	_ func(memfault.Trace) memfault.Timestamp                                                                                                                                            = memfault.Trace.ArrivedAt
	_ func(memfault.Trace) string                                                                                                                                                        = memfault.Trace.Version

	_ uploadMethod[memfault.SymbolsOptions]             = (*memfault.UploadsService).Symbols
	_ uploadMethod[memfault.OTAPayloadOptions]          = (*memfault.UploadsService).OTAPayload
	_ uploadMethod[memfault.SBOMOptions]                = (*memfault.UploadsService).SBOM
	_ uploadMethod[memfault.CoredumpOptions]            = (*memfault.UploadsService).Coredump
	_ uploadMethod[memfault.ELFCoredumpOptions]         = (*memfault.UploadsService).ELFCoredump
	_ uploadMethod[memfault.BugReportOptions]           = (*memfault.UploadsService).BugReport
	_ uploadMethod[memfault.MAROptions]                 = (*memfault.UploadsService).MAR
	_ uploadMethod[memfault.CustomDataRecordingOptions] = (*memfault.UploadsService).CustomDataRecording
	_ uploadMethod[memfault.XEDOptions]                 = (*memfault.UploadsService).XED

	_ listMethod[*memfault.DevicesService, memfault.DeviceListOptions, memfault.Device]             = (*memfault.DevicesService).List
	_ listMethod[*memfault.ReleasesService, memfault.ReleaseListOptions, memfault.Release]          = (*memfault.ReleasesService).List
	_ listMethod[*memfault.CohortsService, memfault.CohortListOptions, memfault.Cohort]             = (*memfault.CohortsService).List
	_ listMethod[*memfault.DeploymentsService, memfault.DeploymentListOptions, memfault.Deployment] = (*memfault.DeploymentsService).List
	_ listMethod[*memfault.EventsService, memfault.EventListOptions, memfault.Event]                = (*memfault.EventsService).List
	_ listMethod[*memfault.IssuesService, memfault.IssueListOptions, memfault.Issue]                = (*memfault.IssuesService).List
	_ listMethod[*memfault.TracesService, memfault.TraceListOptions, memfault.Trace]                = (*memfault.TracesService).List
	_ listMethod[*memfault.InstallsService, memfault.InstallListOptions, memfault.Install]          = (*memfault.InstallsService).List

	_ listMethod[*memfault.ProcessingLogService, memfault.ProcessingLogListOptions, memfault.ProcessingLogEntry] = (*memfault.ProcessingLogService).List
)

type (
	uploadMethod[O any]     = func(*memfault.UploadsService, context.Context, memfault.ProjectRef, *memfault.File, O, ...memfault.CallOption) (*memfault.UploadResult, error)
	listMethod[S, O, T any] = func(S, memfault.ProjectRef, O, ...memfault.CallOption) *memfault.Pager[T]
)

var (
	_ = memfault.BaseURLs{API: "", Chunks: "", Ingress: "", Files: "", Device: "", NRFCloud: ""}
	_ = []memfault.Host{
		memfault.HostAPI, memfault.HostChunks, memfault.HostIngress, memfault.HostFiles, memfault.HostDevice, memfault.HostNRFCloud,
	}
	_ = memfault.ChunksAddress{DeviceSerial: "", BaseURL: ""}
	_ = memfault.RetryPolicy{MaxAttempts: 0, MinWait: 0, MaxWait: 0, MaxRetryAfter: 0}
	_ = memfault.ListOptions{Page: 0, PerPage: 0, Sort: ""}
	_ = memfault.Page[int]{Items: []int{}, Paging: memfault.Paging{ItemCount: 0, Page: 0, PageCount: 0, PerPage: 0, TotalCount: 0}, Next: ""}
	_ = memfault.ProcessingLogListOptions{Start: memfault.Timestamp{}, End: memfault.Timestamp{}, Level: "", PageSize: 0, After: ""}
	_ = memfault.ProcessingLogEntry{Raw: json.RawMessage{}}
	_ = memfault.Timestamp{Time: time.Time{}}
	_ = memfault.Error{
		Operation: "", Method: "", StatusCode: 0, Code: 0, Type: "", Message: "",
		Details: json.RawMessage{}, RequestID: "", RetryAfter: time.Duration(0), Body: []byte{},
	}
	_ = memfault.Request{Method: "", Host: memfault.HostAPI, Path: "", Query: url.Values{}, Body: nil}
	_ = memfault.ChunkSenderOptions{
		BatchSize: 0, MaxBatchBytes: int64(0), Concurrency: 0, MaxPendingBytes: int64(0), MaxPendingPerDevice: int64(0),
		GiveUpAfter: time.Duration(0), OnPause: (func(error))(nil),
	}
	_ = memfault.ChunkSenderStats{
		PendingChunks: 0, PendingBytes: int64(0), Devices: 0, HeldDevices: 0, Paused: error(nil),
		Accepted: int64(0), Reported: int64(0), Requests: int64(0), Repeated: int64(0),
	}
	_ error = memfault.ErrDeviceFull
	_ error = memfault.ErrNotDelivered
	_       = memfault.File{Name: "", Size: int64(0), Content: io.ReaderAt(nil), ContentType: ""}
	_       = memfault.UploadResult{AlreadyUploaded: false, MD5: "", Size: int64(0)}
	_       = memfault.LatestRelease{UpdateAvailable: false, Reason: "", Release: memfault.Release{}}
	_       = memfault.LatestReleaseQuery{DeviceSerial: "", HardwareVersion: "", SoftwareType: "", CurrentVersion: ""}
	_       = memfault.OTAPayloadOptions{HardwareVersion: "", SoftwareType: "", SoftwareVersion: "", DeltaFrom: ""}
	_       = memfault.CohortCreate{Name: "", Slug: ""}
	_       = memfault.DeviceUpdate{Cohort: memfault.Set(""), Nickname: memfault.Null[string]()}

	_ = memfault.WaitOptions{OnError: (func(error))(nil), OnPoll: (func(memfault.VersionCounts))(nil)}
	_ = memfault.RolloutOptions{Replace: false}
	_ = memfault.WatchOptions{Once: false}
	_ = memfault.SymbolsDirOptions{
		OnFile: (func(memfault.SymbolsDirResult))(nil), OnProgress: (func(path string, sent, total int64))(nil), DryRun: false,
	}
	_ = memfault.SymbolsDirResult{Size: int64(0)}

	_ = memfault.WebhookOptions{
		Secrets: []string{}, Remember: 0, SecretsFunc: (func() []string)(nil),
		OnError: (func(*memfault.WebhookEvent, error))(nil), OnReject: (func(*http.Request, error))(nil),
	}
	_ = memfault.Attempt{
		Operation: "", Method: "", Host: "", Number: 0, StatusCode: 0, Duration: time.Duration(0), RetryAfter: time.Duration(0), RequestID: "", Err: error(nil),
	}
	_ = memfault.WebhookEvent{
		Type: memfault.WebhookType(""), Delivery: "", Project: memfault.WebhookProject{ID: int64(0), Slug: ""}, Payload: json.RawMessage{},
	}

	_ = []error{
		memfault.ErrBadRequest, memfault.ErrUnauthorized, memfault.ErrForbidden, memfault.ErrNotFound, memfault.ErrConflict,
		memfault.ErrTooLarge, memfault.ErrRateLimited, memfault.ErrUnavailable, memfault.ErrWrongCredential, memfault.ErrNoBuildID, memfault.ErrNotReady,
		memfault.ErrInvalidArgument, memfault.ErrNoAnswer, memfault.ErrUnexpectedResponse, memfault.ErrTemporary,
		memfault.ErrWebhookSignature,
	}
)

// The services of a client.
func _(c *memfault.Client) []any {
	return []any{
		c.Account, c.Organizations, c.Projects, c.Releases, c.Artifacts, c.Cohorts, c.Deployments, c.Devices, c.Events, c.Issues,
		c.Traces, c.Coredumps, c.Installs, c.Software, c.HardwareVersions, c.Recordings, c.Metrics, c.Alerts, c.Chunks, c.Uploads,
		c.Tasks, c.DeviceConfig, c.ProcessingLog, c.MCP,
	}
}

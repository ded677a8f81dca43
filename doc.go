// Package memfault is a client for the REST API of Memfault, the cloud that watches fleets
// of embedded devices: crashes, metrics, releases over the air.
//
//	client, sink, err := memfault.NewClientFromEnv() // sink is the project
//	if err != nil {
//		return err
//	}
//	device, err := client.Devices.Get(ctx, sink, "ABCD1234")
//
// Examples in the order of a first day. They run as they stand, without an account:
//
//   - [A first program], and [a client from the environment] with [NewClientFromEnv]
//   - [Devices of a fleet] with [DevicesService.List]; all lists work like it
//   - [A partial update] with [Set] and [Null], and [the kinds of errors]
//   - [A release from a CI job] with [UploadsService.OTAPayload], and [its deployment]
//   - [The data of devices] through a gateway with [ChunksService.NewSender]
//   - [New issues as they come] with [NewWebhookHandler]
//   - [An endpoint that the package does not know] with [Client.Do]
//
// A [Client] has one credential and offers the API's resources as services. It is safe for
// concurrent use by multiple goroutines and meant to be kept.
//
// # Credentials
//
// [NewClient] takes one credential, such as an [OrganizationToken]; [AuthFromEnv] reads it from
// the environment. If a credential can change while the program runs, use
// [OrganizationTokenFunc] or [ProjectKeyFunc]: they are asked before each attempt, and once
// more after a 401.
//
// An operation that does not accept the client's kind of credential fails with
// [ErrWrongCredential] before anything is sent. The comment of each method lists the
// credentials that it accepts. [Client.WithAuth] returns a client with another credential.
//
// # Services
//
//   - Fleet: [DevicesService], [CohortsService], [DeviceConfigService], [HardwareVersionsService]
//   - Releases: [ReleasesService], [ArtifactsService], [DeploymentsService], [InstallsService],
//     [SoftwareService]
//   - Faults: [IssuesService], [TracesService], [CoredumpsService], [AlertsService]
//   - Data of devices: [ChunksService], [EventsService], [MetricsService], [RecordingsService]
//   - Files: [UploadsService]
//   - Administration: [OrganizationsService], [ProjectsService], [AccountService],
//     [ProcessingLogService], [TasksService]
//   - Rare: events as they were read in 2021 ([EventsService.List], [EventsService.ListEventLog]),
//     [EventsService.ListChroniclerLogs], [UploadsService.SymbolsLegacy],
//     [UploadsService.RawCoredump], [UploadsService.XED], [MCPService],
//     [DeviceConfigService.SDKSettings]
//
// The Client has a field for each. [Client.Do] and [NewPager] call operations that no service
// has, with the same credentials, retries and errors.
//
// # Uncertain facts
//
// Memfault publishes its API in part. A comment that says "Not documented by Memfault" names
// the programs in which an operation or a field was observed. UNCERTAIN(name) marks a fact that
// sources contradict or that nobody has confirmed: the package is tolerant there in what it
// reads, and a program should not rely on it without a test against the real cloud. The command
// examples/verify makes such a test and reports each fact by its name.
//
// # Lists
//
// A list method does no I/O. It returns a [Pager], which by default reads pages of 100 items
// while the loop runs. With [Pager.Prefetch] it reads several pages concurrently. If a
// request fails, the iterator yields the error once and stops.
//
//	for device, err := range client.Devices.List(sink, memfault.DeviceListOptions{}).Prefetch(8).All(ctx) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(device.DeviceSerial)
//	}
//
// The processing log ([ProcessingLogService]) is paged by cursor. The loop is the same, but
// pages are read one after the other, and [Page.Next] contains a cursor with which a later run
// of the program can continue.
//
// # Uploads and downloads
//
// [OpenFile] opens a [File] for the methods of [UploadsService]. Each attempt sends the file from
// its start. To upload a file again is not an error; [UploadResult] reports whether Memfault
// already had it. Downloads are written to a writer and resume after a lost connection; see
// [DownloadResult].
//
// # Chunks
//
// Chunks are the data that firmware records for Memfault. [ChunksService.Upload] sends some of
// one device. A gateway with many devices uses a [ChunkSender]: it keeps the order of each
// device, batches, and holds chunks during an outage in bounded memory. [DecodeChunkExport] reads
// chunks from a log. Nothing is written to disk: a relay acknowledges a message to its broker
// when the sender reports the chunk.
//
// # Errors
//
// If the API rejects a request, the error is an [*Error]; use errors.As to get it. To test
// for a kind, use errors.Is with [ErrNotFound], [ErrConflict], [ErrRateLimited] or another
// Err variable: [ErrInvalidArgument] if nothing was sent, [ErrNoAnswer] if no complete
// response was received. Other types carry more about some failures: [*ChecksumError],
// [*ChunkExportError], [*DeploymentSelectionError] and [*TaskError]. Error and log texts are
// one line each and contain no credentials, query strings or presigned URLs.
//
// # Retries
//
// A failed request is retried if a retry is safe. By default, a call makes at most 5 attempts
// in total ([RetryPolicy.MaxAttempts]). These requests are retried:
//
//   - any request, if the API responds with 429 or the connection, including its TLS
//     handshake, cannot be established for another reason than an invalid certificate;
//   - GET, HEAD, PUT and DELETE requests, PATCH requests with absolute values, and the few
//     POST requests that are safe to repeat, if the connection breaks or the API responds
//     with 502, 503, 504 or 529.
//
// Other POST requests, and PATCH requests that rename what their path names, are not retried once
// they may have reached Memfault. The POST requests that are safe to repeat are uploads of chunks,
// the first step of a file upload, and the request for a device's configuration. A 500 is never
// retried: Memfault advises against it. UNCERTAIN(unknown-slug-500): whether a 500 is also the
// response to a wrong organization or project slug; one author found it so. A DELETE that finds
// nothing after an attempt without a response is a success. What net/http repeats by itself is not
// a retry; see [Response.Attempts].
//
// Before the next attempt, the client waits for a random time, within a window that doubles
// from 0.5 s to 30 s, and before that for the time in the Retry-After header (seconds or a
// date). If that time is longer than [RetryPolicy.MaxRetryAfter], or ends after the deadline of
// the context, the call fails immediately; a [ChunkSender] waits all the same. If the context
// ends during a wait, the call ends; the error also contains the last response.
//
// A 429 with Retry-After of the API host holds for all calls with the same credential, also of
// the clients that [Client.WithAuth] returns: none of them sends a request there until that time
// has passed, but for at most [RetryPolicy.MaxRetryAfter]. They then continue at random times,
// within a window that doubles each time that one of them is rejected again. A call that would
// wait more often than it could be retried fails with [ErrRateLimited] and is not sent. What is
// limited for each device does not delay other calls: chunks, events, uploads of devices and the
// latest release.
//
// # Models
//
// If a model is decoded and encoded again, every known field keeps the form in which
// Memfault sent it, with these exceptions:
//
//   - null in a string, a number, a bool or a nested struct becomes the zero value. In a
//     pointer, a slice, a map, raw JSON or a time it stays null.
//   - A time is encoded in UTC with a Z, in microseconds.
//   - A [Task] encodes its status alone; Task.Reply contains the rest.
//   - A [DeviceAttribute] keeps one of the forms in which Memfault sends its metric.
//
// Fields that Memfault did not send are encoded as null, empty or 0. Unknown fields are
// dropped; use [Client.Do] to read them.
//
// # Times
//
// Times are sent in UTC with a Z, the only form that the API accepts; see [Timestamp].
//
// # Webhooks
//
// Memfault can call an HTTP server of the user when something happens, such as a new issue.
// [NewWebhookHandler] returns a handler that checks signatures and drops repeated deliveries.
// A program that does this itself uses [VerifyWebhook], which fails with
// [ErrWebhookSignature], and [ParseWebhook]. Memfault calls webhooks experimental.
//
// # Observability
//
// [WithLogger] logs each attempt. [WithObserver] receives each [Attempt], for metrics.
// [OperationName] names the operation of a request in a RoundTripper of [WithHTTPClient], for the
// names of spans. [WithResponse] returns the status, the request ID and the number of attempts
// of a call.
//
// # Testing
//
// Package memfaulttest starts a fake Memfault in a test, and returns clients for it. An
// interface instead of the client is not needed: the test sends real requests. A list of
// given items, for a function that takes a [Pager], is made with [PagerOf].
//
// # Guarantees
//
// The package keeps the order of items and chunks, repeats a request only if that does no harm,
// holds a small and bounded amount of memory, sends a credential only to the hosts of the client
// and never prints it, and verifies certificates, checksums and signatures. [SECURITY.md] contains
// each promise with its tests.
//
// [A first program]: https://pkg.go.dev/github.com/memfault-go/memfault#example-package
// [a client from the environment]: https://pkg.go.dev/github.com/memfault-go/memfault#example-NewClientFromEnv
// [Devices of a fleet]: https://pkg.go.dev/github.com/memfault-go/memfault#example-DevicesService.List-WholeFleet
// [A partial update]: https://pkg.go.dev/github.com/memfault-go/memfault#example-Opt
// [the kinds of errors]: https://pkg.go.dev/github.com/memfault-go/memfault#example-Error
// [A release from a CI job]: https://pkg.go.dev/github.com/memfault-go/memfault#example-UploadsService.OTAPayload
// [its deployment]: https://pkg.go.dev/github.com/memfault-go/memfault#example-DeploymentsService.Ensure-JobRunTwice
// [The data of devices]: https://pkg.go.dev/github.com/memfault-go/memfault#example-ChunksService.NewSender
// [New issues as they come]: https://pkg.go.dev/github.com/memfault-go/memfault#example-NewWebhookHandler-NewIssues
// [An endpoint that the package does not know]: https://pkg.go.dev/github.com/memfault-go/memfault#example-Client.Do-UnknownEndpoint
// [SECURITY.md]: https://github.com/memfault-go/memfault/blob/main/SECURITY.md
package memfault

//go:generate go run ./internal/checks/coverage/readme

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
// # Services
//
// A [Client] has one credential and a field for each service. [Client.Do] and [NewPager] call
// operations that no service has, with the same credentials, retries and errors.
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
// # Rules
//
// The comments of these names describe what holds for many calls:
//
//   - Credentials, and what accepts them: [Authenticator]; [AuthFromEnv], [Client.WithAuth]
//   - Lists: [Pager]
//   - Retries, and the waits after a 429: [RetryPolicy]
//   - Errors: [Error], and their kinds such as [ErrNotFound]
//   - Models, and what they lose when they are encoded again: [Client]; times: [Timestamp]
//   - Files: [UploadsService], [DownloadResult]
//   - Chunks in order, through an outage: [ChunkSender]
//   - Webhooks: [NewWebhookHandler]; [VerifyWebhook] and [ParseWebhook] for a handler of your own
//   - Logs, metrics and traces: [WithLogger], [WithObserver], [OperationName], [WithResponse]
//   - Tests: package memfaulttest, a fake Memfault, so that a program needs no interface instead
//     of the client; [PagerOf]
//   - What the package promises, with the tests of each promise: [SECURITY.md]
//
// # Uncertain facts
//
// Memfault publishes its API in part. A comment that says "Not documented by Memfault" names
// the programs in which an operation or a field was observed. UNCERTAIN(name) marks a fact that
// sources contradict or that nobody has confirmed: the package is tolerant there in what it
// reads, and a program should not rely on it without a test against the real cloud. The command
// examples/verify makes such a test and reports each fact by its name.
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

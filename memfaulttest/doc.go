// Package memfaulttest provides a fake Memfault for tests of programs that use package
// memfault. The client in the test is the real one. The server keeps its state in memory,
// needs no network and no account, and behaves as Memfault is known to behave.
//
//	func TestRelay(t *testing.T) {
//		cloud := memfaulttest.NewServer(t)
//		client := cloud.Client(t, memfault.ProjectKey(cloud.ProjectKey()))
//		cloud.Fail(memfaulttest.Fault{Operation: "chunks.upload", Times: 2, Status: 503})
//
//		relay(client, "ABCD1234", memfaulttest.LogChunks("started", 20)) // the code under test
//
//		if n := len(cloud.Messages("ABCD1234")); n != 1 {
//			t.Errorf("Memfault has %d messages, want 1", n)
//		}
//	}
//
// # Servers
//
// [NewServer] starts a server for a test, and [Start] one for an Example or a program. A new
// server has one organization with one project ([Server.Project]), one user who administers
// it, an organization token and a project key. The project has the cohort "default", the
// software type "main", the hardware version "evt-1", and no devices.
//
// [Server.Client] returns a client for the server. A program that creates its own client can
// add [Server.Options] to its options, or use [Server.URL] as the base URL of all hosts, for
// example in an environment variable.
//
// # State
//
// The Add methods, for example [Server.AddDevices], fill the project. What they name must exist: a
// misspelled cohort, hardware version, software type, release or issue fails the test, see
// [Server.Violations]. Devices and software versions that only data of a device names are created
// instead, as Memfault does when such data arrives. Other changes are made by requests, and have
// consequences: an uploaded payload becomes a release, a deployed release is offered to the devices
// of its cohort, a chunk or an event of an unknown device creates the device. Uploaded files above
// 1 MiB are kept in temporary files that have no name. [Server.Report] makes a device report its
// software version, and [Server.InstallOffers] makes all devices install what they are offered.
//
// # Chunks
//
// The server understands what devices with the firmware SDK send, so that firmware and gateways can
// be tested from the first chunk to the issue in the list. [LogChunks] returns chunks for tests of
// a gateway, and [Server.Messages] what arrived. [Server] describes the consequences. Damaged chunks
// are found, and fail the test; see [Server.DamagedChunks] and [Server.AcceptDamagedChunks].
//
// # Faults
//
// [Server.Fail] makes requests fail: with a status, a delay, a broken connection, or a
// response that is cut off. A [Fault] can be limited to an operation, to a device, to some of
// the requests, or to a time. The operations have the names that [memfault.OperationName] returns and
// that [memfault.Error] contains, for example "devices.update". A client of this package
// retries with the same rules as any other, but waits only for milliseconds, unless a
// response contains Retry-After.
//
// # Webhooks
//
// [Server.SubscribeWebhook] makes the server deliver events to the program under test: new and
// resolved issues. [Server.WaitForWebhooks] waits until they are delivered.
//
// # Assertions
//
// [Server.Requests] returns the requests that the server received, [Server.Chunks] the chunks
// that it accepted, and [Server.Uploads] the files. The server also watches for requests that
// no client should send, such as two concurrent chunk uploads of one device; see
// [Server.Violations]. They fail the test of NewServer.
//
// # Time
//
// A test that waits for minutes takes no time in a bubble of testing/synctest. Network
// connections do not work there; [NewInMemoryServer] starts a server without them. The server
// takes the time from time.Now, so in a bubble from the bubble. [Server.SetClock] replaces it.
//
// # What the server is not
//
// Memfault publishes its API in part. Where a fact is unknown, the server chooses what is
// harder for the client: for example, it rejects a file whose content was uploaded before,
// for whatever version. It cannot prove that a program works with the real Memfault.
package memfaulttest

// Package memfault is a client for the REST API of Memfault, the cloud that watches
// fleets of embedded devices.
//
//	client, err := memfault.NewClient(memfault.OrganizationToken(os.Getenv("MEMFAULT_ORG_TOKEN")))
//	sink := memfault.ProjectRef{Organization: "acme", Project: "smart-sink"}
//	device, err := client.Devices.Get(ctx, sink, "ABCD1234")
//
// A Client holds one credential and offers the API's resources as services. It is
// safe for concurrent use and meant to be kept.
//
// # Lists
//
// A list method does no I/O and returns a Pager, which reads pages of 100 items as a
// loop asks for them, with Prefetch several at a time. An error comes once and last.
//
//	for device, err := range client.Devices.List(sink, memfault.DeviceListOptions{}).Prefetch(8).All(ctx) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(device.DeviceSerial)
//	}
//
// # Errors
//
// What the API refuses is an *Error, for errors.As; its kind is told by errors.Is
// and ErrNotFound, ErrConflict, ErrRateLimited and the other sentinels. No text of
// the package holds a credential, a query or a presigned URL.
//
// # Repeated requests
//
// A request that failed is sent again, five times at most, where that does no harm:
//
//   - any, when the API answers 429 or the connection could not be made;
//   - GET, HEAD, PUT, DELETE, PATCH with absolute values, and the few POSTs that may
//     be repeated, when the connection breaks or the API answers 502, 503, 504 or 529.
//
// A POST that may have been carried out is never sent twice, and no 500 is repeated:
// Memfault advises against it, and answers 500 to a wrong slug. The wait before the
// next attempt is what Retry-After asks for, in seconds or as a date, if that is no
// longer than RetryPolicy.MaxWait, and ends the call at once if it is. Without the
// header it is random, in a window that doubles from 0.5 s to 30 s. A context that
// ends while a call waits ends the call; its error holds the last answer too.
//
// # Models
//
// A model that was read and is encoded to JSON again has every member that the
// package knows, in the form in which Memfault sent it, also where that is null,
// empty or 0; those that Memfault did not send are so too. Members that the package
// does not know are not kept: Client.Do reads them.
//
// # Times
//
// Times are sent in UTC with a Z, the only form that the API accepts; see Timestamp.
package memfault

//go:generate go run ./internal/coverage/readme

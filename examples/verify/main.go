// Command verify compares the real Memfault with what package memfault expects of it, for
// users who have an account. The authors of the package had none.
//
//	export MEMFAULT_ORG_TOKEN=oat_… MEMFAULT_ORG=acme MEMFAULT_PROJECT=smart-sink
//	go run ./examples/verify -report report.json
//
// The credential is that of [memfault.AuthFromEnv]. The other credentials of the environment are
// used for operations that do not accept it: those of a user, and the project key in
// MEMFAULT_PROJECT_KEY. With a project key, the latest release of one device is requested twice,
// which Memfault counts.
//
// # What it does
//
// It calls every reading operation that the credentials accept, with GET and HEAD only, and
// asks lists for one page of 10 items. Of a file, it reads the start. It sends one request at
// a time, and by default at most 3 a second (-rate). It compares each response with the model
// that decodes it:
//
//   - type: a field has another type, so that the client fails or loses it;
//   - missing: no item has a field of the model, and the field is not in the table of those
//     that responses may lack (absent.go);
//   - envelope, paging, order: data, pages or the order of a list have another form;
//   - status, error form: a status or an error that the client does not read;
//   - unreadable: the client fails for another reason.
//
// These contradict the client. The table marks them with an exclamation mark. What the client
// copes with is marked with a dash: unknown, for a field that the model does not have, and
// different, for another difference from Memfault's documentation.
//
// The checks after the operations send requests of which the response is known, such as the
// request for an unknown device. The last part of the table contains the facts that the
// comments of the client mark with UNCERTAIN: confirmed, refuted, or open. A fact that was
// refuted is news, and not a contradiction: the mark allows for it. At the end, the program says
// which of these facts the run settled, and how. Its last line can be pasted into an issue.
//
// # The report
//
// The file of -report contains names of operations and of fields, kinds of values, and
// statuses. It contains no value of the account: no serial, slug, ID, version, text or time.
// A field name that may be a value is replaced by its form, such as aaaa-0000. So the report
// can be attached to a public issue.
//
// # Writing
//
// With -write and -project, it also tries the writing operations in the project with that
// slug, which should be used for nothing else. It asks for a confirmation first; -yes skips
// the question. It creates a cohort, a device, a release and a deployment, changes them and
// removes them again, also after a failure or an interrupt. What could not be removed is
// printed. It leaves out what cannot be undone, such as uploads; see untried.go.
//
// # Exit codes
//
// The exit code is 0 if nothing contradicts the client, 1 if something does, and 2 for wrong
// flags or variables. It is also 1 if nothing could be compared, if the run was interrupted, or
// if something was left behind.
package main

import (
	"context"
	"os"
	"os/signal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // a second interrupt does not wait for the cleanup
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

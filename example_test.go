package memfault_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"time"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

func Example() {
	cloud, err := memfaulttest.Start() // instead of the real cloud
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	cloud.AddDevices(memfaulttest.Device{Serial: "ABCD1234"}, memfaulttest.Device{Serial: "ABCD1235"})

	// With the real cloud, the token is in a variable of the environment, and there are no options.
	client, err := memfault.NewClient(memfault.OrganizationToken(cloud.OrganizationToken()), cloud.Options()...)
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	sink := memfault.ProjectRef{Organization: "acme", Project: "smart-sink"}

	device, err := client.Devices.Update(ctx, sink, "ABCD1234", memfault.DeviceUpdate{Nickname: memfault.Set("kitchen")})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(device.DeviceSerial, device.Nickname)

	for device, err := range client.Devices.List(sink, memfault.DeviceListOptions{}).All(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(device.DeviceSerial)
	}

	_, err = client.Devices.Get(ctx, sink, "ZZZZ9999")
	fmt.Println(errors.Is(err, memfault.ErrNotFound))
	// Output:
	// ABCD1234 kitchen
	// ABCD1234
	// ABCD1235
	// true
}

func ExampleNewClient() {
	cloud, err := memfaulttest.Start() // instead of the real cloud
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()

	client, err := memfault.NewClient(
		memfault.OrganizationToken(cloud.OrganizationToken()), // or memfault.AuthFromEnv
		memfault.WithBaseURLs(cloud.BaseURLs()),               // not needed for the real cloud
		memfault.WithTimeout(20*time.Second),
		memfault.WithUserAgent("acme-dashboard/1.2"),
	)
	if err != nil {
		log.Fatal(err)
	}
	project, err := client.Projects.Get(context.Background(), cloud.Project())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(project.Slug)
	// Output: smart-sink
}

// One client calls operations for the organization, another one with the same connections
// uploads as a device.
func ExampleClient_WithAuth() {
	cloud, err := memfaulttest.Start() // instead of the real cloud
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	client := cloud.Client(nil)
	ctx := context.Background()

	err = client.Chunks.Upload(ctx, "ABCD1234", [][]byte{{1, 2, 3}})
	fmt.Println(errors.Is(err, memfault.ErrWrongCredential))

	key, err := client.Projects.GetProjectKey(ctx, cloud.Project())
	if err != nil {
		log.Fatal(err)
	}
	err = client.WithAuth(memfault.ProjectKey(key)).Chunks.Upload(ctx, "ABCD1234", [][]byte{{1, 2, 3}})
	fmt.Println(err)
	// Output:
	// true
	// <nil>
}

// A request is retried if that is safe. The response reports how many attempts there were.
func ExampleWithRetry() {
	cloud, err := memfaulttest.Start() // instead of the real cloud
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	cloud.Fail(memfaulttest.Fault{Operation: "projects.retrieve", Times: 2, Status: 503})

	policy := memfault.RetryPolicy{MaxAttempts: 3, MinWait: time.Millisecond, MaxWait: 10 * time.Millisecond}
	options := append(cloud.Options(), memfault.WithRetry(policy))
	client, err := memfault.NewClient(memfault.OrganizationToken(cloud.OrganizationToken()), options...)
	if err != nil {
		log.Fatal(err)
	}
	var response memfault.Response
	_, err = client.Projects.Get(context.Background(), cloud.Project(), memfault.WithResponse(&response))
	fmt.Println(err, response.StatusCode, response.Attempts)

	cloud.Fail(memfaulttest.Fault{Operation: "projects.retrieve", Times: 1, Status: 503})
	_, err = client.Projects.Get(context.Background(), cloud.Project(), memfault.WithoutRetry())
	fmt.Println(errors.Is(err, memfault.ErrUnavailable))
	// Output:
	// <nil> 200 3
	// true
}

func ExampleWithObserver() {
	cloud, err := memfaulttest.Start() // instead of the real cloud
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	cloud.Fail(memfaulttest.Fault{Operation: "projects.retrieve", Times: 1, Status: 503})

	options := append(cloud.Options(),
		memfault.WithRetry(memfault.RetryPolicy{MinWait: time.Millisecond, MaxWait: time.Millisecond}),
		memfault.WithObserver(func(_ context.Context, attempt memfault.Attempt) { // a program counts metrics here
			fmt.Println(attempt.Operation, attempt.Number, attempt.StatusCode)
		}),
	)
	client, err := memfault.NewClient(memfault.OrganizationToken(cloud.OrganizationToken()), options...)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := client.Projects.Get(context.Background(), cloud.Project()); err != nil {
		log.Fatal(err)
	}
	// Output:
	// projects.retrieve 1 503
	// projects.retrieve 2 200
}

// spans starts a span for each attempt. Its transport is that of a tracing library.
type spans struct{ next http.RoundTripper }

func (s spans) RoundTrip(req *http.Request) (*http.Response, error) {
	fmt.Println("span", memfault.OperationName(req.Context()))
	return s.next.RoundTrip(req)
}

func ExampleWithHTTPClient() {
	cloud, err := memfaulttest.Start() // instead of the real cloud
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()

	options := append(cloud.Options(), memfault.WithHTTPClient(&http.Client{Transport: spans{http.DefaultTransport}}))
	client, err := memfault.NewClient(memfault.OrganizationToken(cloud.OrganizationToken()), options...)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := client.Projects.Get(context.Background(), cloud.Project()); err != nil {
		log.Fatal(err)
	}
	// Output: span projects.retrieve
}

func ExampleClient_Do_unknownEndpoint() {
	cloud, err := memfaulttest.Start() // instead of the real cloud
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	cloud.AddDevices(memfaulttest.Device{Serial: "ABCD1234"})
	client := cloud.Client(nil)

	// An endpoint, or a field, that the package does not know.
	var device struct {
		DeviceSerial string `json:"device_serial"`
	}
	err = client.Do(context.Background(), memfault.Request{
		Method: http.MethodPatch,
		Path:   "/api/v0/organizations/acme/projects/smart-sink/devices/" + url.PathEscape("ABCD1234"),
		Body:   map[string]any{"nickname": "kitchen"},
	}, &device)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(device.DeviceSerial)
	// Output: ABCD1234
}

func ExampleNewPager() {
	cloud, err := memfaulttest.Start() // instead of the real cloud
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	cloud.AddDevices(memfaulttest.Device{Serial: "ABCD1234"}, memfaulttest.Device{Serial: "ABCD1235"})
	client := cloud.Client(nil)

	// A list with fields that the package does not know.
	type device struct {
		DeviceSerial string `json:"device_serial"`
	}
	devices := memfault.NewPager[device](client, memfault.Request{
		Path:  "/api/v0/organizations/acme/projects/smart-sink/devices",
		Query: url.Values{"per_page": {"1"}},
	})
	for device, err := range devices.All(context.Background()) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(device.DeviceSerial)
	}
	fmt.Println(cloud.RequestCount("devices.list"), "requests")
	// Output:
	// ABCD1234
	// ABCD1235
	// 2 requests
}

// A function that takes a Pager is tested without a server.
func ExamplePagerOf() {
	count := func(ctx context.Context, devices *memfault.Pager[memfault.Device], cohort string) (n int, err error) {
		for device, err := range devices.All(ctx) {
			if err != nil {
				return 0, err
			}
			if device.Cohort.Slug == cohort {
				n++
			}
		}
		return n, nil
	}

	beta := memfault.Device{DeviceSerial: "ABCD1234", Cohort: memfault.CohortRef{Slug: "beta"}}
	fmt.Println(count(context.Background(), memfault.PagerOf(beta, memfault.Device{DeviceSerial: "ABCD1235"}), "beta"))
	// Output: 1 <nil>
}

func ExampleError() {
	cloud, err := memfaulttest.Start() // instead of the real cloud
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	client := cloud.Client(nil)

	_, err = client.Cohorts.Create(context.Background(), cloud.Project(), memfault.CohortCreate{Name: "Default", Slug: "default"})
	if errors.Is(err, memfault.ErrConflict) { // the kind of the error
		fmt.Println("the cohort exists")
	}
	var apiError *memfault.Error
	if errors.As(err, &apiError) { // the details
		fmt.Println(apiError.Operation, apiError.StatusCode)
	}
	// Output:
	// the cohort exists
	// cohorts.create 409
}

// A field of a partial update is set, cleared, or left unchanged.
func ExampleOpt() {
	cloud, err := memfaulttest.Start() // instead of the real cloud
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	cloud.AddDevices(memfaulttest.Device{Serial: "ABCD1234"})
	client := cloud.Client(nil)

	_, err = client.Devices.Update(context.Background(), cloud.Project(), "ABCD1234", memfault.DeviceUpdate{
		Cohort:   memfault.Set("default"),
		Nickname: memfault.Null[string](), // clears the nickname; all other fields are not sent
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(cloud.Requests("devices.update")[0].Body))
	// Output: {"cohort":"default","nickname":null}
}

// A program decides by one kind whether the same call may succeed later.
func ExampleError_temporary() {
	cloud, err := memfaulttest.Start() // instead of the real cloud
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	client := cloud.Client(nil)
	for _, status := range []int{http.StatusServiceUnavailable, http.StatusForbidden} {
		remove := cloud.Fail(memfaulttest.Fault{Operation: "projects.retrieve", Status: status, RetryAfter: "120"})
		_, err := client.Projects.Get(context.Background(), cloud.Project())
		remove()
		var response *memfault.Error
		switch {
		case !errors.Is(err, memfault.ErrTemporary):
			fmt.Println("give up:", status)
		case errors.As(err, &response):
			fmt.Println("later, not before", response.RetryAfter)
		default:
			fmt.Println("later")
		}
	}
	// Output:
	// later, not before 2m0s
	// give up: 403
}

// One 429 delays all calls of a client. An observer counts how long Memfault asks it to wait.
func ExampleRetryPolicy_rateLimit() {
	cloud, err := memfaulttest.Start() // instead of the real cloud
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	cloud.Fail(memfaulttest.Fault{Operation: "projects.retrieve", Times: 1, Status: http.StatusTooManyRequests, RetryAfter: "1"})

	options := append(cloud.Options(),
		memfault.WithRetry(memfault.RetryPolicy{MinWait: time.Millisecond, MaxWait: time.Second, MaxRetryAfter: 5 * time.Minute}),
		memfault.WithObserver(func(_ context.Context, attempt memfault.Attempt) {
			if attempt.RetryAfter > 0 {
				fmt.Println(attempt.Operation, "asks for", attempt.RetryAfter)
			}
		}),
	)
	client, err := memfault.NewClient(memfault.OrganizationToken(cloud.OrganizationToken()), options...)
	if err != nil {
		log.Fatal(err)
	}
	_, err = client.Projects.Get(context.Background(), cloud.Project())
	fmt.Println(err)
	// Output:
	// projects.retrieve asks for 1s
	// <nil>
}

package memfaulttest_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

func ExampleServer_AddDevices() {
	cloud, err := memfaulttest.Start() // in a test: memfaulttest.NewServer(t)
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	cloud.AddCohorts(memfaulttest.Cohort{Slug: "beta"})
	cloud.AddDevices(
		memfaulttest.Device{Serial: "ABCD1234", Cohort: "beta", SoftwareVersion: "1.2.3", LastSeen: time.Now()},
		memfaulttest.Device{Serial: "ABCD1235", Attributes: map[string]any{"region": "eu"}},
	)

	client := cloud.Client(nil) // in a test: cloud.Client(t)
	for device, err := range client.Devices.List(cloud.Project(), memfault.DeviceListOptions{}).All(context.Background()) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(device.DeviceSerial, device.Cohort.Slug)
	}
	// Output:
	// ABCD1234 beta
	// ABCD1235 default
}

func ExampleServer_Fail() {
	cloud, err := memfaulttest.Start() // in a test: memfaulttest.NewServer(t)
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	cloud.AddDevices(memfaulttest.Device{Serial: "ABCD1234"})
	client := cloud.Client(nil) // in a test: cloud.Client(t)

	cloud.Fail(memfaulttest.Fault{Operation: "devices.retrieve", Times: 2, Status: 503})
	_, err = client.Devices.Get(context.Background(), cloud.Project(), "ABCD1234")
	fmt.Println("after", cloud.RequestCount("devices.retrieve"), "requests:", err)

	cloud.Fail(memfaulttest.Fault{Device: "ABCD1234", Drop: true})
	_, err = client.Devices.Get(context.Background(), cloud.Project(), "ABCD1234")
	fmt.Println("no response:", errors.Is(err, memfault.ErrNoAnswer))

	cloud.Heal()
	_, err = client.Devices.Get(context.Background(), cloud.Project(), "ABCD1234")
	fmt.Println("healed:", err)
	// Output:
	// after 3 requests: <nil>
	// no response: true
	// healed: <nil>
}

func ExampleServer_Requests() {
	cloud, err := memfaulttest.Start() // in a test: memfaulttest.NewServer(t)
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	cloud.AddDevices(memfaulttest.Device{Serial: "ABCD1234"})
	client := cloud.Client(nil) // in a test: cloud.Client(t)

	_, err = client.Devices.Update(context.Background(), cloud.Project(), "ABCD1234", memfault.DeviceUpdate{
		Nickname: memfault.Set("kitchen"),
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, request := range cloud.Requests("devices.update") {
		fmt.Println(request.Method, request.Path)
		fmt.Println(string(request.Body))
		fmt.Println(request.Credential)
	}
	// Output:
	// PATCH /api/v0/organizations/acme/projects/smart-sink/devices/ABCD1234
	// {"nickname":"kitchen"}
	// organization token
}

// A CI job rolls out a release: it uploads the payload, deploys it, and verifies what a device is
// offered. The devices install it, and the job waits until 90 % of them report the version. The
// job can run again.
func Example_release() {
	cloud, err := memfaulttest.Start() // in a test: memfaulttest.NewServer(t)
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	cloud.AddCohorts(memfaulttest.Cohort{Slug: "beta"})
	cloud.AddDevices(memfaulttest.Device{Serial: "ABCD1234", Cohort: "beta", SoftwareVersion: "1.0.0"})
	project, client := cloud.Project(), cloud.Client(nil) // in a test: cloud.Client(t)
	device := client.WithAuth(memfault.ProjectKey(cloud.ProjectKey()))

	release := func(ctx context.Context) error {
		content := "the firmware" // or memfault.OpenFile
		payload := &memfault.File{Name: "firmware.bin", Size: int64(len(content)), Content: strings.NewReader(content)}
		result, err := client.Uploads.OTAPayload(ctx, project, payload, memfault.OTAPayloadOptions{
			HardwareVersion: "evt-1", SoftwareType: "main", SoftwareVersion: "2.0.0",
		})
		if err != nil {
			return err
		}
		deployment, err := client.Deployments.Ensure(ctx, project, memfault.DeploymentCreate{
			Type: memfault.DeploymentTypeNormal, Release: memfault.ReleaseVersion("2.0.0"), Cohort: "beta",
		})
		if err != nil {
			return err
		}
		fmt.Println("already uploaded:", result.AlreadyUploaded, "deployed:", deployment.Release.Version, deployment.Status)

		query := memfault.LatestReleaseQuery{DeviceSerial: "ABCD1234", HardwareVersion: "evt-1", SoftwareType: "main"}
		if err := device.Releases.VerifyOffer(ctx, query, payload); err != nil {
			return err
		}
		cloud.InstallOffers() // in reality, the devices ask for it

		ctx, cancel := context.WithTimeout(ctx, time.Hour)
		defer cancel()
		counts, err := client.Cohorts.WaitForVersion(ctx, project, "beta", "2.0.0", 0.9, memfault.WaitOptions{})
		if err != nil {
			return err
		}
		fmt.Println(counts)
		return nil
	}
	for range 2 {
		if err := release(context.Background()); err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// already uploaded: false deployed: 2.0.0 done
	// 1 device: 1 with 2.0.0
	// already uploaded: true deployed: 2.0.0 done
	// 1 device: 1 with 2.0.0
}

func ExampleServer_SendWebhook() {
	cloud, err := memfaulttest.Start() // in a test: memfaulttest.NewServer(t)
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()

	handler := memfault.NewWebhookHandler(memfault.WebhookOptions{Secrets: []string{"s3cret"}},
		func(_ context.Context, event *memfault.WebhookEvent) error {
			fmt.Println(event.Type, "in project", event.Project.Slug)
			return nil
		})
	server := httptest.NewServer(handler) // the program under test
	defer server.Close()

	event := memfault.WebhookEvent{Type: memfault.WebhookTypeIssueCreated, Delivery: "1"}
	for range 2 { // the second is a retry of Memfault
		if err := cloud.SendWebhook(context.Background(), server.URL, "s3cret", event); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println(cloud.SendWebhook(context.Background(), server.URL, "wrong", event))
	// Output:
	// issue.created in project smart-sink
	// memfaulttest: the webhook issue.created had the response status 401
}

func ExampleServer_SubscribeWebhook() {
	cloud, err := memfaulttest.Start() // in a test: memfaulttest.NewServer(t)
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	client, ctx := cloud.Client(nil), context.Background() // in a test: cloud.Client(t)

	handler := memfault.NewWebhookHandler(memfault.WebhookOptions{Secrets: []string{"s3cret"}},
		func(_ context.Context, event *memfault.WebhookEvent) error {
			fmt.Println(event.Type)
			return nil
		})
	server := httptest.NewServer(handler) // the program under test
	defer server.Close()
	cloud.SubscribeWebhook(server.URL, "s3cret")

	cloud.SendTestNotification()
	id := cloud.AddIssues(memfaulttest.Issue{Title: "Assert at pump_start"})[0]
	_, err = client.Issues.Update(ctx, cloud.Project(), id, memfault.IssueUpdate{Status: memfault.IssueStatusResolved})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(cloud.WaitForWebhooks(ctx))
	// Output:
	// test_notification.dispatched
	// issue.resolved
	// <nil>
}

// A gateway delivers the chunks of a device. One of them is missing, so that a message is lost.
func ExampleServer_DamagedChunks() {
	cloud, err := memfaulttest.Start() // in a test: memfaulttest.NewServer(t), which fails the test
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	gateway, ctx := cloud.Client(nil, memfault.ProjectKey(cloud.ProjectKey())), context.Background()

	chunks := append(memfaulttest.LogChunks("valve opened", 20), memfaulttest.LogChunks("valve closed", 20)...)
	chunks = append(chunks[:1], chunks[2:]...) // what is wrong with the gateway
	if err := gateway.Chunks.Upload(ctx, "ABCD1234", chunks); err != nil {
		log.Fatal(err)
	}
	for _, message := range cloud.Messages("ABCD1234") {
		events, err := message.Events()
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("arrived:", events[0].Logs[0].Text)
	}
	fmt.Println("damaged chunks:", cloud.DamagedChunks("ABCD1234"))
	fmt.Println(cloud.Violations()[0])
	// Output:
	// arrived: valve closed
	// damaged chunks: 1
	// damaged chunks of ABCD1234 (see AcceptDamagedChunks): chunk: unfinished in chunk 2: bytes 18 to 21 of the message that began in chunk 1 (log, 22 bytes)
}

// A staged rollout reaches one device, and later the other one.
func ExampleServer_SetRolloutDevices() {
	cloud, err := memfaulttest.Start() // in a test: memfaulttest.NewServer(t)
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	cloud.AddDevices(
		memfaulttest.Device{Serial: "ABCD1234", SoftwareVersion: "1.0.0"},
		memfaulttest.Device{Serial: "ABCD1235", SoftwareVersion: "1.0.0"},
	)
	cloud.AddReleases(memfaulttest.Release{Version: "2.0.0", Artifacts: []memfaulttest.Artifact{{Content: []byte("the firmware")}}})
	cloud.SetRolloutDevices(func(serial string, percent int) bool { return serial == "ABCD1234" || percent >= 50 })
	id := cloud.AddDeployments(memfaulttest.Deployment{Release: "2.0.0", RolloutPercent: 10})[0]

	client, ctx := cloud.Client(nil), context.Background() // in a test: cloud.Client(t)
	fmt.Println("at 10 %:", cloud.InstallOffers(), "device updated")
	if _, err = client.Deployments.SetRolloutPercent(ctx, cloud.Project(), id, 50); err != nil {
		log.Fatal(err)
	}
	fmt.Println("at 50 %:", cloud.InstallOffers(), "device updated")
	// Output:
	// at 10 %: 1 device updated
	// at 50 %: 1 device updated
}

// An outage of a minute. A test in a bubble of testing/synctest does not wait for it.
func ExampleServer_Fail_outage() {
	cloud, err := memfaulttest.Start() // in a test: memfaulttest.NewInMemoryServer(t)
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	now := time.Now()
	cloud.SetClock(func() time.Time { return now }) // not needed in a bubble
	cloud.Fail(memfaulttest.Fault{Status: 503, For: time.Minute})

	client, ctx := cloud.Client(nil), context.Background()
	_, err = client.Projects.Get(ctx, cloud.Project(), memfault.WithoutRetry())
	fmt.Println("temporary:", errors.Is(err, memfault.ErrTemporary))
	now = now.Add(time.Minute)
	_, err = client.Projects.Get(ctx, cloud.Project(), memfault.WithoutRetry())
	fmt.Println("a minute later:", err)
	// Output:
	// temporary: true
	// a minute later: <nil>
}

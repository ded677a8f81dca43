package memfault_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http/httptest"
	"slices"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

// A program moves the devices of each new issue to a cohort that gets no updates.
func ExampleNewWebhookHandler_moveDevices() {
	cloud, err := memfaulttest.Start()
	if err != nil {
		log.Fatal(err)
	}
	defer cloud.Close()
	client, project, ctx := cloud.Client(nil), cloud.Project(), context.Background()
	if _, err = client.Cohorts.Ensure(ctx, project, memfault.CohortCreate{Name: "Quarantine", Slug: "quarantine"}); err != nil {
		log.Fatal(err)
	}

	moveDevices := func(ctx context.Context, event *memfault.WebhookEvent) error {
		if event.Type != memfault.WebhookTypeIssueCreated {
			return nil
		}
		// Memfault does not document the fields of an event. That the issue has its ID here is a
		// guess, so check it with a real event. All else is read through the API.
		var payload struct {
			Issue struct {
				ID int64 `json:"id"`
			} `json:"issue"`
		}
		if err := event.Decode(&payload); err != nil {
			return err
		}
		if payload.Issue.ID == 0 {
			return errors.New("the event does not contain the ID of the issue") // logged; Memfault repeats the event
		}
		var serials []string
		for trace, err := range client.Traces.List(project, memfault.TraceListOptions{Issue: payload.Issue.ID}).All(ctx) {
			if err != nil {
				return err
			}
			// It is not documented either that Memfault filters the traces.
			if trace.IssueID == payload.Issue.ID && !slices.Contains(serials, trace.Device.DeviceSerial) {
				serials = append(serials, trace.Device.DeviceSerial)
			}
		}
		_, err := client.Cohorts.MoveDevices(ctx, project, "quarantine", serials, memfault.MoveDevicesOptions{})
		return err // if Memfault repeats the event, a device that was moved stays there
	}
	const secret = "the secret of the webhook"
	server := httptest.NewServer(memfault.NewWebhookHandler(memfault.WebhookOptions{Secrets: []string{secret}}, moveDevices))
	defer server.Close()

	// In reality, the webhook is added in the settings of the project, and devices crash.
	cloud.SubscribeWebhook(server.URL, secret)
	device := client.WithAuth(memfault.ProjectKey(cloud.ProjectKey()))
	err = device.Uploads.ImportTrace(ctx, memfault.TraceImport{
		DeviceIdentity: memfault.DeviceIdentity{DeviceSerial: "ABCD1234", HardwareVersion: "evt-1", SoftwareType: "main", SoftwareVersion: "1.4.0"},
		Reason:         "Assert",
	})
	if err != nil {
		log.Fatal(err)
	}
	if err = cloud.WaitForWebhooks(ctx); err != nil {
		log.Fatal(err)
	}
	moved, err := client.Devices.Get(ctx, project, "ABCD1234")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(moved.DeviceSerial, "is in", moved.Cohort.Slug)
	// Output:
	// ABCD1234 is in quarantine
}

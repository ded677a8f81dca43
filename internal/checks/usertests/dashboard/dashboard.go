// Package dashboard serves the numbers of a fleet. It is a small program of a user, whose
// tests use nothing of this project but its public packages.
package dashboard

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/memfault-go/memfault"
)

// Fleet is what a dashboard shows.
type Fleet struct {
	Devices  map[string]int `json:"devices"` // by software version
	Issues   int            `json:"issues"`  // open
	Problems []string       `json:"problems,omitempty"`
}

// Handler serves a [Fleet] as JSON. A number that cannot be read is left out, and its name is
// listed.
func Handler(client *memfault.Client, project memfault.ProjectRef) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		fleet := Fleet{Devices: map[string]int{}}
		if err := fleet.countDevices(req.Context(), client, project); err != nil {
			fleet.Devices = nil
			fleet.Problems = append(fleet.Problems, "devices: "+err.Error())
		}
		page, err := client.Issues.List(project, memfault.IssueListOptions{
			ListOptions: memfault.ListOptions{PerPage: 1}, Status: []memfault.IssueStatus{memfault.IssueStatusOpen},
		}).Page(req.Context())
		if err != nil {
			fleet.Problems = append(fleet.Problems, "issues: "+err.Error())
		} else {
			fleet.Issues = page.Paging.TotalCount
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(fleet) // the browser may be gone
	})
}

func (f *Fleet) countDevices(ctx context.Context, client *memfault.Client, project memfault.ProjectRef) error {
	for device, err := range client.Devices.List(project, memfault.DeviceListOptions{}).Prefetch(4).All(ctx) {
		if err != nil {
			return err
		}
		version := "unknown"
		if v := device.LastSeenSoftwareVersion; v != nil {
			version = v.Version
		}
		f.Devices[version]++
	}
	return nil
}

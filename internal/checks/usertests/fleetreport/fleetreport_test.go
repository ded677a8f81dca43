package fleetreport_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/internal/checks/usertests/fleetreport"
	"github.com/memfault-go/memfault/memfaulttest"
)

func TestWrite_TwoNights(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	cloud.AddCohorts(memfaulttest.Cohort{Slug: "beta", Name: "Beta"})
	cloud.AddDevices(
		memfaulttest.Device{Serial: "A", Cohort: "beta", SoftwareVersion: "1.0.0", LastSeen: time.Now()},
		memfaulttest.Device{Serial: "B", Cohort: "beta", SoftwareVersion: "1.1.0", LastSeen: time.Now().AddDate(0, 0, -30)},
	)
	cloud.AddIssues(memfaulttest.Issue{Title: "Assert at old_code"})
	report := func(last memfault.WatchCursor) (string, memfault.WatchCursor) {
		var text bytes.Buffer
		next, err := fleetreport.Write(t.Context(), &text, cloud.Client(t), cloud.Project(), last)
		require.NoError(t, err)
		require.NotEmpty(t, next)
		return text.String(), next
	}
	text, cursor := report(memfault.WatchBeginning)
	assert.Contains(t, text, "cohort beta: 2 devices: 1 with 1.0.0, 1 with 1.1.0")
	assert.Contains(t, text, "silent: B, last seen ")
	assert.NotContains(t, text, "silent: A")
	assert.Contains(t, text, "Assert at old_code")

	cloud.AddIssues(memfaulttest.Issue{Title: "Assert at new_code"})
	text, cursor = report(cursor)
	assert.Contains(t, text, "Assert at new_code")
	assert.NotContains(t, text, "old_code")
	text, _ = report(cursor)
	assert.NotContains(t, text, "new issue")
}

func TestWrite_FailedReportKeepsTheCursor(t *testing.T) {
	cloud := memfaulttest.NewServer(t)
	cloud.Fail(memfaulttest.Fault{Operation: "issues.list", Status: 403})
	next, err := fleetreport.Write(t.Context(), new(bytes.Buffer), cloud.Client(t), cloud.Project(), "cursor")
	require.Error(t, err)
	assert.Equal(t, memfault.WatchCursor("cursor"), next)
}

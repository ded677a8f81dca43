package memfault_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
)

func TestDeploymentRelease_RoundTrip(t *testing.T) {
	for name, c := range map[string]struct {
		text     string
		version  string
		from, to string
	}{
		"object":          {`{"id":3,"version":"1.0.0","revision":""}`, "1.0.0", "", ""},
		"typed object":    {`{"type":"normal","id":3,"version":"1.0.0","revision":"r"}`, "1.0.0", "", ""},
		"delta":           {`{"type":"delta","from_version":{"version":"1.0.0"},"to_version":{"version":"2.0.0"}}`, "", "1.0.0", "2.0.0"},
		"delta, half":     {`{"type":"delta","from_version":null,"to_version":{"version":"2.0.0"}}`, "", "", "2.0.0"},
		"version":         {`"1.0.0"`, "1.0.0", "", ""},
		"escaped version": {`"1.0\u002e0"`, "1.0.0", "", ""},
		"pair":            {`["1.0.0","2.0.0"]`, "", "1.0.0", "2.0.0"},
	} {
		t.Run(name, func(t *testing.T) {
			d := requireRoundTrip[memfault.Deployment](t, `{"id":1,"type":"normal","status":"paused","rollout_percent":0,"release":`+c.text+`,
				"cohort":{"id":1,"name":"Beta","slug":"beta","count_devices":3},"deployer":null,"extra_info":null,
				"created_date":"2019-05-21T21:08:54Z","updated_date":"2019-05-21T21:08:54Z","deployed_date":null}`)
			assert.Equal(t, memfault.DeploymentStatus("paused"), d.Status, "an unknown value must be kept")
			assert.Equal(t, c.version, d.Release.Version)
			assert.Equal(t, c.to != "", d.Release.IsDelta())
			if c.from != "" {
				assert.Equal(t, c.from, d.Release.FromVersion.Version)
			}
			if c.to != "" {
				assert.Equal(t, c.to, d.Release.ToVersion.Version)
			}
		})
	}
	var release memfault.DeploymentRelease
	for _, text := range []string{`["1.0.0"]`, `[1,2]`, `7`, `{"version":7}`} {
		require.Error(t, json.Unmarshal([]byte(text), &release), text)
	}
	require.Error(t, release.UnmarshalJSON(nil))
}

func TestCohort_RoundTrip(t *testing.T) {
	cohort := requireRoundTrip[memfault.Cohort](t, `{"id":1,"slug":"beta","last_deployment":{"id":4,"type":"normal","status":"done",
		"deployer":{"id":1,"email":"jane@acme.example","name":"Jane"},"release":{"id":3,"version":"1.0.0","revision":""}},"count_active_releases":1}`)
	require.NotNil(t, cohort.LastDeployment)
	assert.Equal(t, "1.0.0", cohort.LastDeployment.Release.Version)
	assert.Equal(t, "Jane", cohort.LastDeployment.Deployer.Name)

	old := requireRoundTrip[memfault.Cohort](t, `{"id":1,"deployments":[{"id":4,"type":"staged_rollout","status":"in_progress","deployer":null,"release":"1.0.0"}]}`)
	require.Len(t, old.Deployments, 1)
	assert.Equal(t, "1.0.0", old.Deployments[0].Release.Version)

	none := requireRoundTrip[memfault.Cohort](t, `{"id":1,"last_deployment":null,"deployments":[]}`)
	assert.Nil(t, none.LastDeployment)
}

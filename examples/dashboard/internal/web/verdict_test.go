package web

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"

	"github.com/memfault-go/memfault/examples/dashboard/internal/store"
)

func compared(r Rules, errorsNew int, daysNew float64, errorsOld int, daysOld float64, devices, crashed int) comparison {
	c := comparison{
		New: store.Rate{Version: "2.0", DeviceDays: daysNew, Errors: errorsNew}, Old: store.Rate{Version: "1.0", DeviceDays: daysOld, Errors: errorsOld},
		NewDevices: devices, OldDevices: 100, Crashed: crashed,
	}
	r.compare(&c)
	return c
}

func TestCompare_Levels(t *testing.T) {
	r := DefaultRules()
	for name, test := range map[string]struct {
		got  comparison
		want level
		text string
	}{
		"three times as often":  {compared(r, 30, 100, 10, 100, 20, 10), red, "3 times as often as 1.0"},
		"sure, but little":      {compared(r, 1300, 1000, 1000, 1000, 500, 400), amber, "1.3 times as often as 1.0"},
		"twice, but unsure":     {compared(r, 8, 100, 4, 100, 20, 8), amber, "2 times as often as 1.0"},
		"one device in a loop":  {compared(r, 500, 100, 4, 100, 20, 1), amber, "125 times as often as 1.0"},
		"one crash against 0":   {compared(r, 1, 100, 0, 100, 20, 1), unknown, "1 time, 1.0 never"},
		"equal":                 {compared(r, 10, 100, 20, 200, 20, 5), green, "as often as 1.0"},
		"better":                {compared(r, 5, 100, 40, 200, 20, 5), green, "0.25 times as often as 1.0"},
		"nothing on both sides": {compared(r, 0, 100, 0, 100, 20, 0), green, "never, like 1.0"},
		"too few devices":       {compared(r, 30, 100, 1, 100, 9, 9), unknown, ""},
		"too few device-days":   {compared(r, 30, 19, 1, 100, 10, 9), unknown, ""},
	} {
		assert.Equal(t, test.want, test.got.Level, name)
		if test.want != unknown {
			assert.Equal(t, test.text, test.got.Compared(), name)
		}
	}
	assert.Equal(t, "too few devices yet: 9 devices ran 2.0, at least 10 must", compared(r, 30, 100, 1, 100, 9, 9).Few)
	assert.Equal(t, "too early: 19 device-days of 2.0 are counted, at least 20 must be", compared(r, 30, 19, 1, 100, 10, 9).Few)
	assert.Equal(t, "95 % interval 1.4 to 6.9", compared(r, 30, 100, 10, 100, 20, 10).IntervalText())
	assert.Equal(t, "surely more often", compared(r, 30, 100, 10, 100, 20, 10).Sure())
	assert.Equal(t, "this can be chance", compared(r, 8, 100, 4, 100, 20, 8).Sure())
	assert.Contains(t, compared(r, 1, 100, 0, 100, 20, 1).IntervalText(), "to no upper limit")
	r.RedRatio, r.MinDevices, r.MinDeviceDays = 4, 5, 10
	assert.Equal(t, amber, compared(r, 30, 100, 10, 100, 9, 9).Level, "the rules can be set")
}

func TestRules_Invalid(t *testing.T) {
	require.NoError(t, DefaultRules().Check())
	for want, change := range map[string]func(*Rules){
		"-red-ratio": func(r *Rules) { r.RedRatio = 1 }, "-min-devices": func(r *Rules) { r.MinDevices = 0 }, "-min-device-days": func(r *Rules) { r.MinDeviceDays = math.NaN() },
		"-red-crash-free": func(r *Rules) { r.RedCrashFree = 99 }, "-red-missing": func(r *Rules) { r.RedMissing = 5 }, "-red-issue": func(r *Rules) { r.RedIssue = 101 },
	} {
		r := DefaultRules()
		change(&r)
		assert.ErrorContains(t, r.Check(), want)
	}
}

func TestChecks_Levels(t *testing.T) {
	r := DefaultRules()
	for _, test := range []struct {
		seen, crashed int
		want          level
		text          string
	}{
		{1000, 20, green, "98.0 %: 20 of 1\u202f000 devices seen had an unexpected reboot"},
		{1000, 21, amber, "97.9 %"},
		{1000, 101, red, "89.9 %"},
		{1, 0, green, "100.0 %: 0 of 1 device seen"},
		{0, 0, unknown, "no device was seen"},
	} {
		c := r.checkCrashFree(test.seen, test.crashed)
		assert.Equal(t, test.want, c.Level, test.text)
		assert.Contains(t, c.Text, test.text)
	}
	for _, test := range []struct {
		seen      int
		day, week before
		want      level
		text      string
	}{
		{100, before{100, true}, before{105, true}, green, "100 devices; 100 a day before; 105 a week before"},
		{89, before{100, true}, before{89, true}, amber, "89 devices"},
		{89, before{89, true}, before{200, true}, red, ""},
		{0, before{1, true}, before{}, red, "a week before is not known yet"},
		{50, before{}, before{}, unknown, "a day before is not known yet"},
		{5, before{0, true}, before{}, green, ""},
	} {
		c := r.checkSeen(test.seen, test.day, test.week)
		assert.Equal(t, test.want, c.Level, c.Text)
		assert.Contains(t, c.Text, test.text)
	}
}

func TestCheckIssues_OnlyNewVersion(t *testing.T) {
	now := time.Now()
	row := func(isNew, only bool, share float64, status memfault.IssueStatus) issueRow {
		return issueRow{Issue: memfault.Issue{Title: "an issue", Status: status}, New: isNew, Only: only, Share: share, WithShare: true}
	}
	r := DefaultRules()
	c := r.checkIssues([]issueRow{row(false, true, 50, "open"), row(true, false, 50, "open"), row(true, true, 50, "resolved")}, "2.0", now.Add(-2*time.Hour), now)
	assert.Equal(t, green, c.Level)
	assert.Equal(t, "1 new issue since 2.0 was first deployed, 2 h ago; only this version has 0 of them", c.Text)
	c = r.checkIssues([]issueRow{row(true, true, 4.9, "open")}, "2.0", now, now)
	assert.Equal(t, amber, c.Level)
	assert.Len(t, c.Links, 1)
	assert.Equal(t, red, r.checkIssues([]issueRow{row(true, true, 5, "open")}, "2.0", now, now).Level)
	assert.Equal(t, unknown, r.checkIssues(nil, "", time.Time{}, now).Level)
}

func TestVersionBefore_Choice(t *testing.T) {
	for _, test := range []struct {
		days    map[string]float64
		devices map[string]int
		want    string
	}{
		{map[string]float64{"2.0.0": 50, "1.9.0": 40, "1.8.0": 30}, nil, "1.9.0"},
		{map[string]float64{"2.1.0": 500, "1.9.0": 4}, nil, "1.9.0"}, // a higher version is not before it
		{nil, map[string]int{"1.8.0": 3, "1.9.0": 2, "": 90}, "1.8.0"},
		{nil, map[string]int{"2.0.0": 3}, ""},
	} {
		assert.Equal(t, test.want, versionBefore("2.0.0", test.days, test.devices))
	}
	assert.Equal(t, "master", versionBefore("branch", map[string]float64{"master": 2}, nil), "not a semantic version")
}

func TestConclude_WorstLevel(t *testing.T) {
	v := verdict{Version: "2.0", Comparison: compared(DefaultRules(), 10, 100, 10, 100, 20, 5), Checks: []check{{Level: green}, {Level: amber, Title: "Devices", Text: "few"}}}
	v.conclude()
	assert.Equal(t, amber, v.Level)
	assert.Equal(t, "2.0 restarts unexpectedly as often as 1.0. But look at this: Devices: few", v.Headline)
	v = verdict{}
	v.conclude()
	assert.Equal(t, unknown, v.Level)
	assert.Equal(t, "No rollout is active", v.Headline)
	v = verdict{Checks: []check{{Level: green}}}
	v.conclude()
	assert.Equal(t, green, v.Level)

	for _, unjudged := range []comparison{compared(DefaultRules(), 1, 100, 0, 100, 20, 1), compared(DefaultRules(), 30, 100, 1, 100, 9, 9)} {
		v = verdict{Version: "2.0", Comparison: unjudged, Checks: []check{{Level: green}}}
		v.conclude()
		assert.Equal(t, unknown, v.Level, "a rollout that is not judged is not good: %s", v.Headline)
		v.Checks = []check{{Level: green}, {Level: amber, Title: "Devices", Text: "few"}}
		v.conclude()
		assert.Equal(t, amber, v.Level)
	}
}

func TestColors_FixedAndDistinct(t *testing.T) {
	c := newColors(map[string]int{"a": 0, "b": 1, "g": 6, "h": 13})
	assert.Equal(t, []string{"s0", "s1", "s2", "s3", "s0"}, []string{c.of("a"), c.of("b"), c.of("g"), c.of("h"), c.of("a")})
	assert.Equal(t, "s1", newColors(map[string]int{"b": 1}).of("b"), "whatever else is shown")
}

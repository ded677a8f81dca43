package web

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/memfault-go/memfault/examples/dashboard/internal/poisson"
	"github.com/memfault-go/memfault/examples/dashboard/internal/store"
)

// compareDays is the number of days whose reboots are compared, and for which a deployment that was
// aborted or pulled is shown.
const compareDays = 14

// Rules decide what is green, amber and red. docs/dashboard.md describes them.
type Rules struct {
	// RedRatio is the ratio of the rates of unexpected reboots from which a version is red, if its
	// interval is above 1.
	RedRatio float64
	// MinDevices and MinDeviceDays are the numbers of each version below which nothing is compared.
	MinDevices    int
	MinDeviceDays float64
	// AmberCrashFree and RedCrashFree are percentages of devices without an unexpected reboot in
	// 24 hours.
	AmberCrashFree, RedCrashFree float64
	// AmberMissing and RedMissing are the percentages by which fewer devices were seen than before.
	AmberMissing, RedMissing float64
	// RedIssue is the percentage of all devices from which an issue that only the new version has
	// is red.
	RedIssue float64
}

// DefaultRules are the rules by default.
func DefaultRules() Rules {
	return Rules{
		RedRatio: 1.5, MinDevices: 10, MinDeviceDays: 20, AmberCrashFree: 98, RedCrashFree: 90,
		AmberMissing: 10, RedMissing: 25, RedIssue: 5,
	}
}

// Check returns an error if the rules contradict each other.
func (r Rules) Check() error {
	percent := func(v float64) bool { return v >= 0 && v <= 100 }
	switch {
	case !(r.RedRatio > 1 && r.RedRatio <= 1000):
		return fmt.Errorf("-red-ratio must be above 1")
	case r.MinDevices < 1 || !(r.MinDeviceDays > 0):
		return fmt.Errorf("-min-devices and -min-device-days must be positive")
	case !percent(r.AmberCrashFree) || !percent(r.RedCrashFree) || r.RedCrashFree > r.AmberCrashFree:
		return fmt.Errorf("-red-crash-free must be a percentage up to -amber-crash-free")
	case !percent(r.AmberMissing) || !percent(r.RedMissing) || r.RedMissing < r.AmberMissing:
		return fmt.Errorf("-red-missing must be a percentage from -amber-missing")
	case !percent(r.RedIssue):
		return fmt.Errorf("-red-issue must be a percentage")
	}
	return nil
}

// level is the color of a verdict.
type level int

const (
	unknown level = iota
	green
	amber
	red
)

// String returns the name of the class in the style sheet.
func (l level) String() string { return [...]string{"unknown", "green", "amber", "red"}[l] }

// Word returns the level as a word for the page, which must not depend on colors.
func (l level) Word() string {
	return [...]string{"Not known", "Good", "Look at this", "Bad"}[l]
}

// comparison compares the unexpected reboots of two versions.
type comparison struct {
	New, Old               store.Rate
	NewDevices, OldDevices int // that ran the version; counted up to MinDevices
	Crashed                int // devices with an unexpected reboot with the new version
	Ratio                  float64
	Interval               poisson.Interval
	Level                  level
	Few                    string // why nothing is compared; empty if something is
}

// compare fills in the ratio and the level.
func (r Rules) compare(c *comparison) {
	few := func(rate store.Rate, devices int) string {
		switch {
		case devices < r.MinDevices:
			return fmt.Sprintf("too few devices yet: %s ran %s, at least %d must", plural(devices, "device"), orNone(rate.Version), r.MinDevices)
		case rate.DeviceDays < r.MinDeviceDays:
			return fmt.Sprintf("too early: %s device-days of %s are counted, at least %s must be", decimal(rate.DeviceDays), orNone(rate.Version), decimal(r.MinDeviceDays))
		}
		return ""
	}
	if c.Old.Version == "" {
		c.Few = "no version before it is known"
	} else {
		c.Few = cmp.Or(few(c.New, c.NewDevices), few(c.Old, c.OldDevices))
	}
	if c.Few != "" {
		return
	}
	c.Ratio, c.Interval = poisson.Ratio(c.New.Errors, c.New.DeviceDays, c.Old.Errors, c.Old.DeviceDays)
	worse := c.Interval.Low > 1
	switch {
	case worse && c.Ratio >= r.RedRatio && c.Crashed > 2:
		c.Level = red
	case worse, c.Ratio >= r.RedRatio && c.Crashed > 2:
		c.Level = amber
	case c.Ratio >= r.RedRatio:
		c.Level = unknown // one or two devices can do that by chance
	default:
		c.Level = green
	}
}

// Known reports whether the versions are compared.
func (c comparison) Known() bool { return c.Few == "" }

// per100 returns the unexpected reboots of 100 device-days.
func per100(r store.Rate) float64 { return 100 * float64(r.Errors) / r.DeviceDays }

// Compared describes the ratio, as the end of a sentence about the new version.
func (c comparison) Compared() string {
	switch {
	case c.New.Errors+c.Old.Errors == 0:
		return "never, like " + c.Old.Version
	case c.Old.Errors == 0:
		return plural(c.New.Errors, "time") + ", " + c.Old.Version + " never"
	case c.Ratio > 0.95 && c.Ratio < 1.05:
		return "as often as " + c.Old.Version
	}
	return decimal(c.Ratio) + " times as often as " + c.Old.Version
}

// IntervalText describes the interval of the ratio.
func (c comparison) IntervalText() string {
	high := "no upper limit"
	if !math.IsInf(c.Interval.High, 1) {
		high = decimal(c.Interval.High)
	}
	return fmt.Sprintf("%d %% interval %s to %s", int(100*poisson.Confidence), decimal(c.Interval.Low), high)
}

// Sure says in words how sure the comparison is.
func (c comparison) Sure() string {
	switch {
	case c.Interval.Low > 1:
		return "surely more often"
	case c.Interval.High < 1:
		return "surely less often"
	case c.New.Errors+c.Old.Errors == 0:
		return "nothing happened"
	default:
		return "this can be chance"
	}
}

// check is a line of the verdict.
type check struct {
	Level level
	Title string
	Text  string
	Links []link
}

type link struct{ Text, Address string }

func (r Rules) checkCrashFree(seen, crashed int) check {
	c := check{Title: "Crash-free devices, 24 h", Text: "no device was seen in 24 h"}
	if seen == 0 {
		return c
	}
	share := 100 * float64(max(0, seen-crashed)) / float64(seen)
	c.Text = fmt.Sprintf("%s: %s of %s seen had an unexpected reboot", percent(share), number(crashed), plural(seen, "device"))
	c.Level = below(share, r.AmberCrashFree, r.RedCrashFree)
	return c
}

func below(value, amberFrom, redFrom float64) level {
	switch {
	case value < redFrom:
		return red
	case value < amberFrom:
		return amber
	}
	return green
}

// before is how many devices were seen in 24 hours, some time ago.
type before struct {
	Seen  int
	Known bool
}

func (r Rules) checkSeen(seen int, dayBefore, weekBefore before) check {
	c := check{Title: "Devices seen, 24 h", Text: plural(seen, "device")}
	missing := 0.0
	for _, b := range []struct {
		before
		name string
	}{{dayBefore, "a day before"}, {weekBefore, "a week before"}} {
		if !b.Known {
			c.Text += "; " + b.name + " is not known yet"
			continue
		}
		c.Text += fmt.Sprintf("; %s %s", number(b.Seen), b.name)
		c.Level = max(c.Level, green)
		if b.Seen > 0 {
			missing = max(missing, 100*float64(b.Seen-seen)/float64(b.Seen))
		}
	}
	if c.Level != unknown {
		c.Level = below(-missing, -r.AmberMissing, -r.RedMissing)
	}
	return c
}

// checkIssues describes the issues that are new since the new version was deployed.
func (r Rules) checkIssues(rows []issueRow, version string, since time.Time, now time.Time) check {
	c := check{Title: "New issues", Text: "nothing was deployed"}
	if since.IsZero() {
		return c
	}
	c.Level = green
	all, only := 0, 0
	for _, row := range rows {
		if !row.New || !isOpen(row.Issue) {
			continue
		}
		all++
		if row.Only {
			only++
			c.Level = max(c.Level, amber)
			if row.WithShare && row.Share >= r.RedIssue {
				c.Level = red
			}
			if len(c.Links) < 5 {
				c.Links = append(c.Links, link{row.Title, row.Address})
			}
		}
	}
	c.Text = fmt.Sprintf("%s since %s was first deployed, %s; only this version has %s of them", plural(all, "new issue"), version, ago(now.Sub(since)), number(only))
	return c
}

// checkEnded describes the devices that still run a version that was aborted or pulled.
func checkEnded(rollouts []rollout) check {
	devices := map[string]int{}
	for _, r := range rollouts {
		if r.Ended {
			devices[r.Version+", which was "+string(r.Status)] += r.Devices
		}
	}
	c := check{Level: green, Title: "Stopped rollouts"}
	var texts []string
	for _, text := range largest(devices) {
		if n := devices[text]; n > 0 {
			texts = append(texts, plural(n, "device")+" still run "+text)
			if n == 1 {
				texts[len(texts)-1] = "1 device still runs " + text
			}
			c.Level = amber
		}
	}
	if len(devices) == 0 {
		return check{}
	}
	if len(texts) == 0 {
		texts = append(texts, "no device runs a version that was stopped in "+strconv.Itoa(compareDays)+" days")
	}
	c.Text = strings.Join(texts, "; ")
	return c
}

// verdict is what the page says first.
type verdict struct {
	Level      level
	Headline   string
	Version    string // the one that is being rolled out; empty if there is none
	Cohorts    []string
	Comparison comparison
	Checks     []check
}

// conclude sets the level to the worst of all. If the rollout is not judged, nothing else makes the
// verdict green. The headline is about the rollout, and then about
// what is worse.
func (v *verdict) conclude() {
	c := v.Comparison
	switch {
	case v.Version == "":
		v.Headline = "No rollout is active"
	case !c.Known():
		v.Headline = v.Version + " cannot be judged: " + c.Few
	default:
		v.Headline = v.Version + " restarts unexpectedly " + c.Compared()
		if c.Level != green && c.Interval.Low <= 1 {
			v.Headline += ", which can be chance"
		}
	}
	v.Level = c.Level
	worst := slices.MaxFunc(append([]check{{}}, v.Checks...), func(a, b check) int { return cmp.Compare(a.Level, b.Level) })
	switch {
	case worst.Level <= v.Level:
	case worst.Level > green:
		v.Level = worst.Level
		v.Headline += ". But look at this: " + worst.Title + ": " + worst.Text
	case v.Version == "":
		v.Level = green
	}
}

// rateText describes a rate with what it is counted from.
func rateText(r store.Rate) string {
	if r.DeviceDays <= 0 {
		return orNone(r.Version) + ": no device-day is counted yet"
	}
	return fmt.Sprintf("%s: %s (%s in %s device-days)", orNone(r.Version), decimal(per100(r)), number(r.Errors), decimal(r.DeviceDays))
}

// decimal returns a number with one decimal, or none if it is large.
func decimal(v float64) string {
	switch {
	case v >= 100:
		return number(int(math.Round(v)))
	case v > 0 && v < 0.95:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0")
}

package memfault_test

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
)

func TestAppURL(t *testing.T) {
	const below = "https://app.memfault.com/organizations/acme/projects/smart-sink"
	for want, page := range map[string]memfault.AppPage{
		below:                                     {},
		below + "/devices/ABCD1234":               memfault.AppDevice("ABCD1234"),
		below + "/devices/A%20B%2FC%3Fx%3D1%23":   memfault.AppDevice("A B/C?x=1#"),
		below + "/issues/42":                      memfault.AppIssue(42),
		below + "/releases/1.0.0-rc.1%2B7":        memfault.AppRelease("1.0.0-rc.1+7"),
		below + "/cohorts/beta":                   memfault.AppCohort("beta"),
		below + "/delta-releases/1.0.0/1.1.0%2Bb": memfault.AppDeltaRelease("1.0.0", "1.1.0+b"),
		below + "/software/main/versions/1.0%2Fa": memfault.AppSoftwareVersion("main", "1.0/a"),
	} {
		assert.Equal(t, want, memfault.AppURL(memfault.ProjectRef{Organization: "acme", Project: "smart-sink"}, page))
	}
	assert.Equal(t, "https://app.memfault.com/organizations/a%2Fb/projects/c%20d", memfault.AppURL(memfault.ProjectRef{Organization: "a/b", Project: "c d"}, memfault.AppPage{}))
}

func TestAppURL_InvalidInput(t *testing.T) {
	for _, page := range []memfault.AppPage{
		memfault.AppDevice(""), memfault.AppDevice(".."), memfault.AppIssue(0), memfault.AppIssue(-1), memfault.AppRelease("."), memfault.AppCohort(""),
		memfault.AppDeltaRelease("", "1"), memfault.AppDeltaRelease("1", ""), memfault.AppSoftwareVersion("main", ""), memfault.AppSoftwareVersion("", "1"),
	} {
		assert.Empty(t, memfault.AppURL(sink, page))
	}
	for _, project := range []memfault.ProjectRef{{}, {Organization: "acme"}, {Project: "x"}, {Organization: "..", Project: "x"}} {
		assert.Empty(t, memfault.AppURL(project, memfault.AppDevice("A")))
	}
}

// FuzzAppURL checks that a page has an address on Memfault's host with the given segments, or none.
func FuzzAppURL(f *testing.F) {
	f.Add("acme", "smart-sink", "ABCD1234", int64(42), uint8(0))
	f.Add("a/b", "c d", "1.0.0-rc.1+7", int64(0), uint8(1))
	f.Add("..", "?x", "#%2f\x00\xff", int64(-1), uint8(2))
	f.Add("acme", "x", "", int64(1<<62), uint8(3))
	f.Fuzz(func(t *testing.T, organization, project, id string, number int64, kind uint8) {
		page, want := memfault.AppPage{}, []string{"", "organizations", organization, "projects", project}
		switch kind % 5 {
		case 0:
			page, want = memfault.AppDevice(id), append(want, "devices", id)
		case 1:
			page, want = memfault.AppRelease(id), append(want, "releases", id)
		case 2:
			page, want = memfault.AppCohort(id), append(want, "cohorts", id)
		case 3:
			page, want = memfault.AppIssue(number), append(want, "issues", strconv.FormatInt(number, 10))
		}
		got := memfault.AppURL(memfault.ProjectRef{Organization: organization, Project: project}, page)
		if slices.ContainsFunc(want[1:], isNoSegment) || kind%5 == 3 && number < 1 {
			require.Empty(t, got)
			return
		}
		address, err := url.Parse(got)
		require.NoError(t, err)
		assert.Equal(t, want, segmentsOf(t, address.EscapedPath()))
		address.Path, address.RawPath = "", ""
		assert.Equal(t, "https://app.memfault.com", address.String(), "no other part must follow the path")
	})
}

func ExampleAppURL() {
	project := memfault.ProjectRef{Organization: "acme", Project: "smart-sink"}
	fmt.Println(memfault.AppURL(project, memfault.AppDevice("ABCD 1234")))
	// Output: https://app.memfault.com/organizations/acme/projects/smart-sink/devices/ABCD%201234
}

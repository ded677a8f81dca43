package memfault_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/memfault-go/memfault"
)

func TestAppURL(t *testing.T) {
	const below = "https://app.memfault.com/organizations/acme/projects/smart-sink"
	for want, page := range map[string]memfault.AppPage{
		below:                                   {},
		below + "/devices/ABCD1234":             memfault.AppDevice("ABCD1234"),
		below + "/devices/A%20B%2FC%3Fx%3D1%23": memfault.AppDevice("A B/C?x=1#"),
		below + "/issues/42":                    memfault.AppIssue(42),
		below + "/releases/1.0.0-rc.1%2B7":      memfault.AppRelease("1.0.0-rc.1+7"),
		below + "/cohorts/beta":                 memfault.AppCohort("beta"),
	} {
		assert.Equal(t, want, memfault.AppURL(memfault.ProjectRef{Organization: "acme", Project: "smart-sink"}, page))
	}
	assert.Equal(t, "https://app.memfault.com/organizations/a%2Fb/projects/c%20d", memfault.AppURL(memfault.ProjectRef{Organization: "a/b", Project: "c d"}, memfault.AppPage{}))
}

func TestAppURL_InvalidInput(t *testing.T) {
	for _, page := range []memfault.AppPage{
		memfault.AppDevice(""), memfault.AppDevice(".."), memfault.AppIssue(0), memfault.AppIssue(-1), memfault.AppRelease("."), memfault.AppCohort(""),
	} {
		assert.Empty(t, memfault.AppURL(sink, page))
	}
	for _, project := range []memfault.ProjectRef{{}, {Organization: "acme"}, {Project: "x"}, {Organization: "..", Project: "x"}} {
		assert.Empty(t, memfault.AppURL(project, memfault.AppDevice("A")))
	}
}

func ExampleAppURL() {
	project := memfault.ProjectRef{Organization: "acme", Project: "smart-sink"}
	fmt.Println(memfault.AppURL(project, memfault.AppDevice("ABCD 1234")))
	// Output: https://app.memfault.com/organizations/acme/projects/smart-sink/devices/ABCD%201234
}

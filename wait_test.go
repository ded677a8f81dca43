package memfault_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/memfaulttest"
)

// newCloudInBubble is like newCloud, in a synctest bubble.
func newCloudInBubble(t testing.TB, opts ...memfault.Option) (*memfaulttest.Server, *memfault.Client) {
	t.Helper()
	cloud := memfaulttest.NewInMemoryServer(t)
	return cloud, newClient(t, memfault.OrganizationToken(organizationToken), append(cloud.Options(), opts...)...)
}

func TestWaitOptions_InvalidInput(t *testing.T) {
	cloud, client := newCloud(t)
	cloud.AddTask("t", "SUCCESS")
	for _, options := range []memfault.WaitOptions{
		{MinInterval: -1},
		{MaxInterval: -1},
		{MinInterval: 2 * time.Second, MaxInterval: time.Second},
	} {
		_, err := client.Tasks.Wait(t.Context(), "t", options)
		requireUnsent(t, cloud, err, "WaitOptions")
	}
	for _, options := range []memfault.WaitOptions{{}, {MinInterval: time.Hour}, {MaxInterval: time.Millisecond}} {
		_, err := client.Tasks.Wait(t.Context(), "t", options)
		require.NoError(t, err)
	}
}

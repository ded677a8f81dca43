package memfaulttest_test

import (
	"time"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/chunk"
	"github.com/memfault-go/memfault/memfaulttest"
)

// Tests are compiled against these names and signatures.
var (
	_ func(*memfaulttest.Server, memfaulttest.Fault) (remove func())    = (*memfaulttest.Server).Fail
	_ func(*memfaulttest.Server) (updated int)                          = (*memfaulttest.Server).InstallOffers
	_ func(*memfaulttest.Server, string) []*chunk.Message               = (*memfaulttest.Server).Messages
	_ func(*memfaulttest.Server, string) int                            = (*memfaulttest.Server).DamagedChunks
	_ func(*memfaulttest.Server, ...string)                             = (*memfaulttest.Server).AddMetricNames
	_ func(*memfaulttest.Server)                                        = (*memfaulttest.Server).AcceptDamagedChunks
	_ func(*memfaulttest.Server, func(serial string, percent int) bool) = (*memfaulttest.Server).SetRolloutDevices
	_ func(line string, maxSize int) [][]byte                           = memfaulttest.LogChunks
	_ time.Duration                                                     = memfaulttest.Fault{}.For
	_ int                                                               = memfaulttest.Request{}.StatusCode
	_ time.Time                                                         = memfaulttest.Request{}.Time
	_ time.Time                                                         = memfaulttest.Trace{}.Received
	_ memfault.RebootReason                                             = memfaulttest.Reboot{}.Reason
)

package memfault

import (
	"context"
	"encoding/binary"
	"hash/fnv"
	"iter"
)

// WatchReboots polls the reboots of a device, and yields each new one. See [WatchOptions] for
// the rules of all watches. If the watch cannot continue, or ctx ends, the iterator yields the
// error once and stops. If the device does not exist because it has never reported, WatchReboots
// keeps polling; [WatchOptions.OnError] observes the [ErrNotFound].
//
// Reboots have no ID. Two of them with the same time, type, reason and register count as one.
// Their only time is that of the reboot: Lookback is the longest time from a reboot to its
// report, during which newer reboots may be reported.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Not documented by Memfault; observed only in Memfault's own tests and in dashboards.
func (s *DevicesService) WatchReboots(ctx context.Context, project ProjectRef, deviceSerial string, options WatchOptions, opts ...CallOption) iter.Seq2[WatchItem[Reboot], error] {
	return watchList(ctx, watchSource[Reboot]{
		name: "Devices.WatchReboots", path: project.path(deviceSerial), key: (*Reboot).watchKey,
		time: func(r *Reboot) Timestamp { return r.Time }, byDevice: true, missing: true,
		list: func(since Timestamp, opts []CallOption) *Pager[Reboot] {
			return s.ListReboots(project, deviceSerial, RebootListOptions{Since: since}, opts...)
		},
	}, options, opts)
}

func (r *Reboot) watchKey() uint64 {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(r.Type)) // never fails
	register := int64(-1)
	if r.MCUReasonRegister != nil {
		register = *r.MCUReasonRegister
	}
	data := binary.AppendVarint(nil, r.Time.UnixMicro())
	data = binary.AppendVarint(data, int64(r.Reason))
	_, _ = hash.Write(binary.AppendVarint(data, register))
	return hash.Sum64()
}

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"

	"github.com/memfault-go/memfault"
)

func fleetSerial(i int) string { return fmt.Sprintf("SINK-%04d", i+1) }

func (s *soak) getDevice(ctx context.Context, random *rand.Rand, _ int) {
	serial := fleetSerial(random.IntN(fleet))
	s.repeat(ctx, "devices read", func() error {
		device, err := s.client.Devices.Get(ctx, s.project, serial)
		if err == nil && device.DeviceSerial != serial {
			return fmt.Errorf("%s instead of %s", device.DeviceSerial, serial)
		}
		return err
	})
}

// listDevices lists all devices, with several pages in flight.
func (s *soak) listDevices(ctx context.Context, random *rand.Rand, _ int) {
	want := map[string]bool{}
	for i := range fleet {
		want[fleetSerial(i)] = true
	}
	for _, d := range s.devices {
		want[d.serial] = true
	}
	var got []string
	options := memfault.DeviceListOptions{ListOptions: memfault.ListOptions{PerPage: 20 + random.IntN(60)}}
	if !s.repeat(ctx, "lists of devices read", func() error {
		devices, err := s.client.Devices.List(s.project, options).Prefetch(1 + random.IntN(8)).Collect(ctx)
		got = got[:0]
		for _, device := range devices {
			got = append(got, device.DeviceSerial)
		}
		return err
	}) {
		return
	}
	s.checkList("devices", want, got)
}

// readLog reads the processing log, which is paged by cursor and grows during the read.
func (s *soak) readLog(ctx context.Context, random *rand.Rand, _ int) {
	want := map[string]bool{}
	for i := range logEntries {
		want[fmt.Sprint(i)] = true
	}
	var got []string
	if !s.repeat(ctx, "lists paged by cursor read", func() error {
		got = got[:0]
		options := memfault.ProcessingLogListOptions{PageSize: 20 + random.IntN(100)}
		for entry, err := range s.client.ProcessingLog.List(s.project, options).All(ctx) {
			if err != nil {
				return err
			}
			var fields struct {
				Number json.Number `json:"number"`
			}
			if err := json.Unmarshal(entry.Raw, &fields); err != nil {
				return err
			}
			got = append(got, fields.Number.String())
		}
		return nil
	}) {
		return
	}
	s.checkList("processing log", want, got)
}

func (s *soak) checkList(name string, want map[string]bool, got []string) {
	missing, repeated := compareList(want, got)
	s.ledger.broke(promiseList, missing+repeated, "%s: %d missing, %d repeated", name, missing, repeated)
}

// download downloads a recording and compares it.
func (s *soak) download(ctx context.Context, random *rand.Rand, _ int) {
	want := recordingContent(s.seed, random.IntN(recordings))
	id := ""
	if !s.repeat(ctx, "lists of recordings read", func() error {
		all, err := s.client.Recordings.List(s.project, memfault.RecordingListOptions{}).Collect(ctx)
		for _, recording := range all {
			if recording.SizeBytes == int64(len(want)) {
				id = recording.ID
			}
		}
		return err
	}) {
		return
	}
	s.repeat(ctx, "recordings downloaded", func() error {
		var got bytes.Buffer
		result, err := s.client.Recordings.Download(ctx, s.project, id, &got)
		if !bytes.HasPrefix(want, got.Bytes()) || err == nil && got.Len() != len(want) {
			s.ledger.broke(promiseDownload, 1, "recording %s of %d bytes", id, len(want))
		}
		if sum := sha256.Sum256(want); err == nil && result.SHA256 != hex.EncodeToString(sum[:]) {
			s.ledger.broke(promiseDownload, 1, "SHA-256 of recording %s", id)
		}
		return err
	})
}

// updateDevice changes a device that no other worker changes, and reads it.
func (s *soak) updateDevice(ctx context.Context, _ *rand.Rand, n int) {
	serial, nickname := fleetSerial(n%fleet), fmt.Sprint("soak ", n)
	update := memfault.DeviceUpdate{Nickname: memfault.Set(nickname), Cohort: memfault.Set([]string{"beta", "internal"}[n/fleet%2])}
	if !s.repeat(ctx, "devices updated", func() error {
		_, err := s.client.Devices.Update(ctx, s.project, serial, update)
		return err
	}) {
		return
	}
	s.repeat(ctx, "devices read", func() error {
		device, err := s.client.Devices.Get(ctx, s.project, serial)
		if err == nil && (device.Nickname != nickname || device.Cohort.Slug != []string{"beta", "internal"}[n/fleet%2]) {
			s.ledger.broke(promiseWrite, 1, "%s has the nickname %q instead of %q", serial, device.Nickname, nickname)
		}
		return err
	})
}

// ensureCohort creates a cohort if it does not exist, and renames it.
func (s *soak) ensureCohort(ctx context.Context, random *rand.Rand, n int) {
	slug, name := fmt.Sprint("cohort-", n%2, "-", random.IntN(20)), fmt.Sprint("Cohort ", n)
	if !s.repeat(ctx, "cohorts ensured", func() error {
		_, err := s.client.Cohorts.Ensure(ctx, s.project, memfault.CohortCreate{Name: name, Slug: slug})
		return err
	}) {
		return
	}
	s.repeat(ctx, "cohorts updated", func() error {
		_, err := s.client.Cohorts.Update(ctx, s.project, slug, memfault.CohortUpdate{Name: memfault.Set(name)})
		return err
	})
	s.repeat(ctx, "cohorts read", func() error {
		cohort, err := s.client.Cohorts.Get(ctx, s.project, slug)
		if err == nil && cohort.Name != name {
			s.ledger.broke(promiseWrite, 1, "cohort %s has the name %q instead of %q", slug, cohort.Name, name)
		}
		return err
	})
}

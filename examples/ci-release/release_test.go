package main

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault/memfaulttest"
)

func TestRelease_Twice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud, b := newCloud(t), newBuild(t)
		updateAll(cloud)
		started := time.Now()
		first := run(t.Context(), t, cloud, b.flags("-wait", "90%")...)
		first.requireCode(t, exitDone, "")
		assert.GreaterOrEqual(t, time.Since(started), time.Minute)
		for _, line := range []string{
			"symbols     note: " + b.symbols + "/copy.elf: skipped: " + b.symbols + "/app.elf has the same build ID\n",
			"symbols     note: " + b.symbols + "/stripped.elf: skipped: it has no debug information\n",
			"symbols     " + b.symbols + "/lib/boot.elf: uploaded 582 B\n",
			"payload     " + b.payload + " for evt: uploaded 24 B\n",
			"payload     " + b.payload + " for dvt: uploaded 24 B\n",
			"offers it to 100% of the devices\n",
			"offer       evt: device SINK-0 is offered the bytes of " + b.payload + "\n",
			"offer       dvt: device SINK-1 is offered the bytes of " + b.payload + "\n",
			"wait        1.4.2+ci.77 on beta: 20 devices: 20 with 1.4.2+ci.77\n",
		} {
			assert.Contains(t, first.out, line)
		}
		require.Len(t, cloud.Uploads(), 4, "two symbol files and two payloads")
		assert.Equal(t, "Fixes the tap.", cloud.Uploads()[2].Commit["notes"])
		requireOffered(t, cloud, b)

		before := cloud.RequestCount("")
		second := run(t.Context(), t, cloud, b.flags("-wait", "90%")...)
		second.requireCode(t, exitDone, "")
		assert.Empty(t, writes(cloud, before), "the second run sent something again")
		assert.Equal(t, 2, strings.Count(second.out, "Memfault has them\n"))
		assert.Equal(t, 2, strings.Count(second.out, "Memfault has it\n"))
		assert.Contains(t, second.out, "active already")
	})
}

// Firmware that is not linked with a GNU build ID has a Memfault one, which devices report.
func TestRelease_MemfaultBuildID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud, dir := newCloud(t), t.TempDir()
		id := []byte("\xb1\xb2\xb3\xb4\xb5\xb6\xb7\xb8\xb9\xba\xbb\xbc\xbd\xbe\xbf\xc0\xc1\xc2\xc3\xc4")
		writeFile(t, filepath.Join(dir, "zephyr.elf"), memfaulttest.SymbolFileWith(memfaulttest.SymbolFileOptions{MemfaultBuildID: id, GNUBuildID: []byte{1}, BigEndian: true}))
		writeFile(t, filepath.Join(dir, "zephyr_pre0.elf"), memfaulttest.SymbolFileWith(memfaulttest.SymbolFileOptions{Unwritten: true}))
		for _, want := range []string{"/zephyr.elf: uploaded ", "/zephyr.elf: Memfault has them\n"} {
			o := run(t.Context(), t, cloud, "-symbols", dir)
			o.requireCode(t, exitDone, "")
			assert.Contains(t, o.out, want)
			assert.Contains(t, o.out, "/zephyr_pre0.elf: skipped: its Memfault build ID was not written")
		}
		assert.Len(t, cloud.Uploads(), 1)
		client := cloud.Client(t)
		there, err := client.Uploads.SymbolsExist(t.Context(), cloud.Project(), "b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4")
		require.NoError(t, err)
		assert.True(t, there)
	})
}

func TestRelease_DryRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud, b := newCloud(t), newBuild(t)
		flags := b.flags("-wait", "90%", "-rollout", "10", "-dry-run")
		would := run(t.Context(), t, cloud, flags...)
		would.requireCode(t, exitDone, "")
		assert.Equal(t, 8, strings.Count(would.out, "would"), would.out)
		assert.Empty(t, writes(cloud, 0))
		assert.NotZero(t, cloud.RequestCount("symbols.exists_by_gnu_build_id"))

		run(t.Context(), t, cloud, b.flags("-rollout", "10")...).requireCode(t, exitDone, "")
		before := cloud.RequestCount("")
		again := run(t.Context(), t, cloud, flags...)
		again.requireCode(t, exitDone, "")
		assert.Equal(t, 3, strings.Count(again.out, "would"), "only the two proofs and the wait are left: "+again.out)
		assert.Empty(t, writes(cloud, before))
	})
}

func TestRelease_JSON(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud, b := newCloud(t), newBuild(t)
		updateAll(cloud)
		done := run(t.Context(), t, cloud, b.flags("-wait", "50", "-json")...)
		done.requireCode(t, exitDone, "")
		var states []string
		var last map[string]any
		for line := range strings.Lines(done.out) {
			last = nil
			require.NoError(t, json.Unmarshal([]byte(line), &last), line)
			if step, ok := last["step"].(string); ok {
				states = append(states, step+" "+last["state"].(string))
			}
		}
		assert.ElementsMatch(t, []string{
			"symbols note", "symbols note", "symbols done", "symbols done", "payload done", "payload done",
			"deployment done", "offer done", "offer done", "wait note", "wait done",
		}, states)
		assert.Equal(t, map[string]any{"exit_code": 0., "done": []any{"check", "symbols", "payload", "deployment", "offer", "wait"}}, last)

		failed := run(t.Context(), t, cloud, "-json", "status", "-cohort", "gamma")
		require.Equal(t, exitRefused, failed.code)
		assert.JSONEq(t, `{"exit_code":3,"error":"status: cohort gamma does not exist in acme/smart-sink: create it, or correct -cohort","left":["status"]}`, failed.out)
		assert.Empty(t, failed.err)
	})
}

// Public projects ship versions that are not semantic.
func TestRelease_OtherVersions(t *testing.T) {
	for _, version := range []string{"2.6.4.1", "v4.9.148", "2026.02.23", "1.0", "mfw_nrf91x1_2.0.4"} {
		t.Run(version, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cloud, b := newCloud(t), newBuild(t)
				flags := replaceFlag(b.flags(), "-version", version)
				done := run(t.Context(), t, cloud, flags...)
				done.requireCode(t, exitDone, "")
				assert.Contains(t, done.out, "is offered the bytes of "+b.payload)
				run(t.Context(), t, cloud, flags...).requireCode(t, exitDone, "")
				assert.Len(t, cloud.Uploads(), 4)
			})
		})
	}
}

// The same bytes as another software type are not this release.
func TestRelease_PayloadOfAnotherType(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud, b := newCloud(t), newBuild(t)
		only := []string{"-payload", b.payload, "-version", "1.1.0", "-hardware-version", "evt"}
		run(t.Context(), t, cloud, only...).requireCode(t, exitDone, "")
		modem := append(only, "-software-type", "modem")
		would := run(t.Context(), t, cloud, append(modem, "-dry-run")...)
		would.requireCode(t, exitDone, "")
		assert.Contains(t, would.out, "would upload")
		run(t.Context(), t, cloud, modem...).requireCode(t, exitDone, "")
		require.Len(t, cloud.Uploads(), 2)
		assert.Equal(t, "modem", cloud.Uploads()[1].Commit["software_version"].(map[string]any)["software_type"])
	})
}

// steps are the operations of a release, in order.
var steps = []string{
	"cohorts.retrieve", "cohorts.list_devices", "deployments.list", "symbols.exists_by_gnu_build_id",
	"upload.prepare_basic_auth", "upload.put_file", "upload.commit_symbols", "releases.retrieve", "upload.commit_ota_payload",
	"deployments.create", "projects.get_client_key", "releases.latest",
}

func TestRelease_FaultAtEachStep(t *testing.T) {
	for name, fault := range map[string]memfaulttest.Fault{
		"drop": {Drop: true}, "drop response": {DropResponse: true}, "503": {Status: 503}, "429": {Status: 429},
	} {
		for _, operation := range steps {
			t.Run(name+" "+operation, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					cloud, b := newCloud(t), newBuild(t)
					fault.Operation = operation
					cloud.Fail(fault)
					first := run(t.Context(), t, cloud, b.flags()...)
					if fault.DropResponse && operation == "deployments.create" {
						first.requireCode(t, exitDone, "") // the package finds the deployment
					} else {
						first.requireCode(t, exitNoAnswer, "Run the same command again to continue")
					}
					require.NotZero(t, cloud.RequestCount(operation))
					cloud.Heal()
					run(t.Context(), t, cloud, b.flags()...).requireCode(t, exitDone, "")
					requireOffered(t, cloud, b)
					assert.Len(t, cloud.Uploads(), 4, "a file was uploaded twice")
				})
			})
		}
	}
}

func TestRelease_InterruptedAtEachStep(t *testing.T) {
	for _, operation := range steps {
		for name, fault := range map[string]memfaulttest.Fault{
			"before": {Delay: time.Hour}, "after": {DropResponse: true},
		} {
			t.Run(name+" "+operation, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					cloud, b := newCloud(t), newBuild(t)
					ctx, interrupt := context.WithCancel(t.Context())
					fault.Operation, fault.Before = operation, interrupt
					cloud.Fail(fault)
					stopped := run(ctx, t, cloud, b.flags()...)
					stopped.requireCode(t, exitInterrupted, "interrupted; run the same command again to continue")
					assert.Contains(t, stopped.err, "ci-release: done: ")
					assert.Contains(t, stopped.err, "offer\n", "it is left")
					cloud.Heal()
					run(t.Context(), t, cloud, b.flags()...).requireCode(t, exitDone, "")
					requireOffered(t, cloud, b)
					assert.Len(t, cloud.Uploads(), 4, "a file was uploaded twice")
				})
			})
		}
	}
}

func TestRelease_InterruptedWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud, b := newCloud(t), newBuild(t)
		ctx, interrupt := context.WithCancel(t.Context())
		time.AfterFunc(time.Minute, interrupt)
		stopped := run(ctx, t, cloud, b.flags("-wait", "90%")...)
		stopped.requireCode(t, exitInterrupted, "interrupted")
		assert.Contains(t, stopped.err, "done: check, symbols, payload, deployment, offer; left: wait\n")
		before := cloud.RequestCount("")
		updateAll(cloud)
		run(t.Context(), t, cloud, b.flags("-wait", "90%")...).requireCode(t, exitDone, "")
		assert.Empty(t, writes(cloud, before))
	})
}

func TestRelease_WaitTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud, b := newCloud(t), newBuild(t)
		late := run(t.Context(), t, cloud, b.flags("-wait", "90%", "-wait-timeout", "10m")...)
		late.requireCode(t, exitNoAnswer, "20 devices: 20 with 1.0.0")
		assert.Contains(t, late.err, "Run the same command again to wait longer")
	})
}

// A rollout to 10 % reaches 2 of 20 devices.
func TestRelease_WaitForShareOfRollout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud, b := newCloud(t), newBuild(t)
		time.AfterFunc(time.Minute, func() { cloud.Report("SINK-3", "1.4.2+ci.77") })
		time.AfterFunc(5*time.Minute, func() { cloud.Report("SINK-4", "1.4.2+ci.77") })
		o := run(t.Context(), t, cloud, b.flags("-rollout", "10", "-wait", "90%", "-wait-timeout", "10m")...)
		o.requireCode(t, exitDone, "")
		assert.Contains(t, o.out, "waiting for 9% of the cohort, which is 90% of the 10% that are offered it, at most 10m0s\n")
		assert.Contains(t, o.out, "20 devices: 18 with 1.0.0, 2 with 1.4.2+ci.77\n")
	})
}

package main

import (
	"context"
	"debug/elf"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"

	"github.com/memfault-go/memfault/memfaulttest"
)

func TestRelease_BadInput(t *testing.T) {
	b := newBuild(t)
	file := func(name, content string) string {
		path := filepath.Join(b.dir, name)
		writeFile(t, path, []byte(content))
		return path
	}
	empty, text, latin1 := file("empty.bin", ""), file("a.txt", "text"), file("latin1.md", "\xe9")
	damaged, objects, plain := file("damaged/a.elf", "\x7fELF damaged"), filepath.Join(b.dir, "objects"), filepath.Join(b.dir, "plain.elf")
	writeFile(t, filepath.Join(objects, "a.o"), elfFile(0, elf.ET_REL, 1))
	writeFile(t, plain, elfFile(0, elf.ET_EXEC, 1))
	unwritten := filepath.Join(b.dir, "unwritten", "app", "app.elf")
	writeFile(t, unwritten, memfaulttest.SymbolFileWith(memfaulttest.SymbolFileOptions{GNUBuildID: []byte{1}, Unwritten: true, Is32Bit: true}))
	writeFile(t, filepath.Join(b.dir, "unwritten", "boot.elf"), memfaulttest.SymbolFile([]byte{2}))
	payload := []string{"-payload", b.payload, "-version", "1.0.0", "-hardware-version", "evt"}
	with := func(more ...string) []string { return append(payload[:6:6], more...) }
	for name, test := range map[string]struct {
		args []string
		text string
	}{
		"no flags":               {nil, "nothing to do: -symbols or -payload is required"},
		"unknown flag":           {[]string{"-foo"}, "unknown flag --foo"},
		"unknown command":        {[]string{"frobnicate"}, "frobnicate"},
		"no version":             {[]string{"-payload", b.payload, "-hardware-version", "evt"}, "-payload requires -version"},
		"no board":               {[]string{"-payload", b.payload, "-version", "1.0.0"}, "-payload requires -version, -software-type and -hardware-version"},
		"line break in version":  {[]string{"-payload", b.payload, "-version", "1.0.0\n", "-hardware-version", "evt"}, `-version "1.0.0\n": Memfault accepts 1 to 128 letters, digits, spaces and -_.+:\()[]/`},
		"comma in version":       {[]string{"-payload", b.payload, "-version", "1,0", "-hardware-version", "evt"}, `-version "1,0": Memfault accepts`},
		"long version":           {[]string{"-payload", b.payload, "-version", strings.Repeat("1", 129), "-hardware-version", "evt"}, "Memfault accepts 1 to 128 letters"},
		"board twice":            {[]string{"-payload", b.payload, "-version", "1.0.0", "-hardware-version", "evt,evt"}, `"evt" is empty or contained twice`},
		"empty board":            {[]string{"-payload", b.payload, "-version", "1.0.0", "-hardware-version", "evt,,dvt"}, `"" is empty`},
		"no payload of board":    {[]string{"-payload", "evt=" + b.payload, "-version", "1.0.0", "-hardware-version", "evt,dvt"}, "there is no file for dvt"},
		"two payloads":           {with("-payload", text), "are for the same boards"},
		"empty payload":          {[]string{"-payload", empty, "-version", "1.0.0", "-hardware-version", "evt"}, empty + " is empty: check the build"},
		"missing payload":        {[]string{"-payload", "nowhere", "-version", "1.0.0", "-hardware-version", "evt"}, "-payload: stat nowhere: no such file or directory"},
		"payload is a directory": {[]string{"-payload", b.dir, "-version", "1.0.0", "-hardware-version", "evt"}, "is not a regular file"},
		"missing notes":          {with("-notes", "nowhere"), "-notes: open nowhere: no such file"},
		"notes not UTF-8":        {with("-notes", latin1), "is not UTF-8 text"},
		"rollout without cohort": {with("-rollout", "10"), "-rollout and -wait require -cohort"},
		"cohort without payload": {[]string{"-symbols", b.symbols, "-cohort", "beta"}, "-cohort requires -payload"},
		"rollout 0":              {with("-cohort", "beta", "-rollout", "0"), "is not a share between 1% and 100%"},
		"rollout 2.5":            {with("-cohort", "beta", "-rollout", "2.5"), "only whole percentages"},
		"wait 200%":              {with("-cohort", "beta", "-wait", "200%"), "is not a share between 1% and 100%"},
		"wait NaN":               {with("-cohort", "beta", "-wait", "NaN"), "is not a share"},
		"missing symbols":        {[]string{"-symbols", "nowhere"}, "-symbols: stat nowhere: no such file"},
		"not an ELF file":        {[]string{"-symbols", text}, text + " is not a linked ELF file: pass the file that the linker wrote"},
		"damaged ELF file":       {[]string{"-symbols", filepath.Dir(damaged)}, damaged + " is a damaged ELF file: build it again"},
		"only object files":      {[]string{"-symbols", objects}, "no ELF file with debug information and a build ID: compile with -g, and link with -Wl,--build-id or use the Memfault build ID of the firmware SDK"},
		"no build ID":            {[]string{"-symbols", plain}, "no ELF file with debug information and a build ID"},
		"build ID not written":   {[]string{"-symbols", filepath.Dir(filepath.Dir(unwritten))}, unwritten + ": its Memfault build ID was not written; run scripts/fw_build_id.py of the firmware SDK after the build"},
		"promote without flags":  {[]string{"promote"}, "missing flags"},
		"promote 2.5":            {[]string{"promote", "-version", "1.0.0", "-cohort", "beta", "-rollout", "2.5"}, "only whole percentages"},
	} {
		t.Run(name, func(t *testing.T) {
			o := runWith(t.Context(), test.args, func(context.Context, *cli) (*connection, error) {
				t.Error("it connects")
				return nil, os.ErrInvalid
			})
			o.requireCode(t, exitUsage, test.text)
			assert.Empty(t, o.out)
		})
	}
}

func TestRelease_FailsBeforeAnythingIsSent(t *testing.T) {
	forbidden := func(operation string) func(*memfaulttest.Server) {
		return func(cloud *memfaulttest.Server) { cloud.Fail(memfaulttest.Fault{Operation: operation, Status: 403}) }
	}
	nothing := func(*memfaulttest.Server) {}
	for name, test := range map[string]struct {
		prepare func(*memfaulttest.Server)
		flags   []string
		text    string
	}{
		"unknown cohort":           {nothing, []string{"-cohort", "gamma"}, "cohort gamma does not exist in acme/smart-sink: create it, or correct -cohort"},
		"unknown hardware version": {nothing, []string{"-hardware-version", "evx,dvt"}, "hardware version evx does not exist in acme/smart-sink: create it, or correct -hardware-version"},
		"unknown project": {func(cloud *memfaulttest.Server) {
			cloud.Fail(memfaulttest.Fault{Operation: "cohorts.retrieve", Status: 404})
			cloud.Fail(memfaulttest.Fault{Operation: "projects.retrieve", Status: 404})
		}, nil, "project acme/smart-sink does not exist, or the credential has no access: check MEMFAULT_ORG and MEMFAULT_PROJECT"},
		"unknown token": {func(cloud *memfaulttest.Server) {
			cloud.Fail(memfaulttest.Fault{Operation: "cohorts.retrieve", Status: 401})
		}, nil, "Memfault does not know the credential: check MEMFAULT_ORG_TOKEN"},
		"token may not read cohorts":     {forbidden("cohorts.retrieve"), nil, "The credential lacks the permission"},
		"token may not read devices":     {forbidden("cohorts.list_devices"), nil, "The credential lacks the permission"},
		"token may not read deployments": {forbidden("deployments.list"), nil, "The credential lacks the permission"},
		"staged at 5%": {func(cloud *memfaulttest.Server) {
			cloud.AddReleases(memfaulttest.Release{Version: "1.4.2+ci.77"})
			cloud.AddDeployments(memfaulttest.Deployment{Release: "1.4.2+ci.77", Cohort: "beta", RolloutPercent: 5})
		}, []string{"-rollout", "10"}, "ci-release promote -version 1.4.2+ci.77 -cohort beta -rollout 10"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cloud, b := newCloud(t), newBuild(t)
				test.prepare(cloud)
				flags := b.flags()
				for i := 0; i < len(test.flags); i += 2 {
					flags = replaceFlag(flags, test.flags[i], test.flags[i+1])
				}
				run(t.Context(), t, cloud, flags...).requireCode(t, exitRefused, test.text)
				assert.Empty(t, writes(cloud, 0))
			})
		})
	}
}

func replaceFlag(flags []string, name, value string) []string {
	for i := range flags {
		if flags[i] == name {
			flags[i+1] = value
			return flags
		}
	}
	return append(flags, name, value)
}

func TestRelease_TokenWithoutPermissionToUpload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud, b := newCloud(t), newBuild(t)
		cloud.Fail(memfaulttest.Fault{Operation: "upload.prepare_basic_auth", Status: 403})
		run(t.Context(), t, cloud, b.flags()...).requireCode(t, exitRefused, "The credential lacks the permission")
		assert.Zero(t, cloud.RequestCount("upload.put_file"), "a byte of a file was sent")
	})
}

func TestRelease_TokenWithoutPermissionToDeploy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud, b := newCloud(t), newBuild(t)
		cloud.Fail(memfaulttest.Fault{Operation: "deployments.create", Status: 403})
		o := run(t.Context(), t, cloud, b.flags()...)
		o.requireCode(t, exitRefused, "deployment: deployments.create: 403")
		assert.Contains(t, o.err, "done: check, symbols, payload; left: deployment, offer\n")
	})
}

// A board without devices is found in releases, or by a request like one of a device.
func TestRelease_BoardWithoutDevices(t *testing.T) {
	for name, prepare := range map[string]func(*memfaulttest.Server){
		"in another cohort": func(cloud *memfaulttest.Server) {
			cloud.AddHardwareVersions(memfaulttest.HardwareVersion{Name: "pvt"})
			cloud.AddDevices(memfaulttest.Device{Serial: "OTHER", HardwareVersion: "pvt"})
		},
		"in a release": func(cloud *memfaulttest.Server) {
			cloud.AddHardwareVersions(memfaulttest.HardwareVersion{Name: "pvt"})
			cloud.AddReleases(memfaulttest.Release{Version: "0.9.0", Artifacts: []memfaulttest.Artifact{{HardwareVersion: "pvt"}}})
		},
		"by a request": func(cloud *memfaulttest.Server) {
			cloud.AddHardwareVersions(memfaulttest.HardwareVersion{Name: "pvt"})
		},
		"unknown without the project key": func(cloud *memfaulttest.Server) {
			cloud.Fail(memfaulttest.Fault{Operation: "projects.get_client_key", Status: 403})
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cloud, b := newCloud(t), newBuild(t)
				prepare(cloud)
				o := run(t.Context(), t, cloud, replaceFlag(b.flags(), "-hardware-version", "pvt")...)
				o.requireCode(t, exitDone, "")
				assert.Contains(t, o.out, "offer       note: pvt: not proved with a device, because ")
				unknown := strings.Contains(o.out, "note: whether hardware version pvt exists cannot be found out without MEMFAULT_PROJECT_KEY\n")
				assert.Equal(t, name == "unknown without the project key", unknown)
			})
		})
	}
}

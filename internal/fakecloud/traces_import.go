package fakecloud

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"
)

// applyTrace creates a trace from an imported trace. Of its two known forms it reads stacktrace,
// which works. UNCERTAIN(trace-import-frames): whether Memfault reads stackframes, which its
// documentation names.
//
// Memfault needs about 5 seconds until the trace has an issue; in the fake cloud, it has one
// immediately.
func (c *Cloud) applyTrace(p *project, device, body map[string]any) {
	d := c.received(p, traitsIn(device), false)
	reason, _ := body["reason"].(string)
	if reason == "" {
		reason = "Unknown"
	}
	text, _ := body["captured_date"].(string)
	captured, err := time.Parse(time.RFC3339, text)
	if err != nil {
		captured = c.now()
	}
	t := c.addTrace(p, d, Trace{SoftwareVersion: traitsIn(device).version, Reason: reason, Captured: captured})
	t.threads = []object{}
	threads := objects(body["threads"])
	for _, process := range objects(body["processes"]) {
		threads = append(threads, objects(process["threads"])...)
	}
	function := ""
	for i, thread := range threads {
		frames := []object{}
		for j, frame := range objects(thread["stacktrace"]) {
			frames = append(frames, object{
				"index": j, "address": 0, "function": frame["function"], "file": frame["file"], "lineno": frame["lineno"], "context": []object{},
			})
		}
		crashed := thread["crashed"] == true
		if name, ok := firstFunction(frames); ok && (crashed || function == "") {
			function = name
		}
		t.threads = append(t.threads, object{
			"tid": i + 1, "name": thread["name"], "state": thread["state"], "current": crashed, "crashed": crashed,
			"reporting": false, "registers": []object{}, "stacktrace": frames,
		})
	}
	c.assignIssue(p, t, function)
}

func objects(value any) []object {
	var all []object
	items, _ := value.([]any)
	for _, item := range items {
		if fields, ok := item.(map[string]any); ok {
			all = append(all, fields)
		}
	}
	return all
}

func firstFunction(frames []object) (string, bool) {
	if len(frames) == 0 {
		return "", false
	}
	name, ok := frames[0]["function"].(string)
	return name, ok
}

// assignIssue assigns a trace to the issue with its reason and signature, and creates the issue
// if it does not exist. The signature is that of the reason and the function that crashed.
//
// UNCERTAIN(issue-grouping): which traces Memfault takes for the same issue, and when a resolved
// issue opens again. Here every new trace opens it, and counts as a regression.
func (c *Cloud) assignIssue(p *project, t *trace, function string) {
	kind := "trace"
	switch {
	case t.ELF:
		kind = "elf_coredump"
	case t.Coredump:
		kind = "coredump"
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{kind, t.Reason, function}, "\n")))
	t.signature, t.title = hex.EncodeToString(sum[:]), t.Reason
	if function != "" {
		t.title += " at " + function
	}
	for _, i := range p.diagnostics.issues {
		if i.Reason == t.Reason && i.Signature == t.signature {
			t.Issue = i.id
			if i.Status == "resolved" {
				i.Status, i.resolution, i.edited = "open", nil, c.now()
				c.sendIssueWebhook(p, webhookIssueRegressed, i)
			}
			return
		}
	}
	added := c.addIssue(p, Issue{Title: t.title, Reason: t.Reason, Signature: t.signature})
	t.Issue = added.id
	c.sendIssueWebhook(p, webhookIssueCreated, added)
}

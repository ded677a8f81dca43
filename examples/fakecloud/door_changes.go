package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/memfault-go/memfault/memfaulttest"
)

// faultBody is the body of POST /fake/fail.
type faultBody struct {
	Operation    string  `json:"operation"`
	Device       string  `json:"device"`
	Skip         int     `json:"skip"`
	Times        int     `json:"times"`
	Every        int     `json:"every"`
	Share        float64 `json:"share"`
	Seed         uint64  `json:"seed"`
	Status       int     `json:"status"`
	RetryAfter   string  `json:"retry_after"`
	Body         string  `json:"body"`
	ContentType  string  `json:"content_type"`
	Delay        string  `json:"delay"`
	Drop         bool    `json:"drop"`
	DropResponse bool    `json:"drop_response"`
	CutBodyAfter int     `json:"cut_body_after"`
}

func (d *door) fail(b faultBody) error {
	fault := memfaulttest.Fault{
		Operation: b.Operation, Device: b.Device, Skip: b.Skip, Times: b.Times, Every: b.Every, Share: b.Share, Seed: b.Seed,
		Status: b.Status, RetryAfter: b.RetryAfter, Body: b.Body, ContentType: b.ContentType,
		Drop: b.Drop, DropResponse: b.DropResponse, CutBodyAfter: b.CutBodyAfter,
	}
	if b.Operation != "" && !isOperation(b.Operation) {
		return fmt.Errorf("unknown operation %q", b.Operation)
	}
	if b.Status != 0 && (b.Status < 200 || b.Status > 599) {
		return fmt.Errorf("invalid status %d", b.Status)
	}
	if b.Delay != "" {
		delay, err := time.ParseDuration(b.Delay)
		if err != nil {
			return err
		}
		fault.Delay = delay
	}
	d.cloud.Fail(fault)
	return nil
}

// deviceBody is an element of the body of POST /fake/devices.
type deviceBody struct {
	Serial          string `json:"serial"`
	Cohort          string `json:"cohort"`
	HardwareVersion string `json:"hardware_version"`
	SoftwareType    string `json:"software_type"`
	SoftwareVersion string `json:"software_version"`
}

// addDevices adds devices. What the server refuses is among its violations.
func (d *door) addDevices(devices []deviceBody) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, b := range devices {
		if b.Serial == "" {
			return errors.New("serial must not be empty")
		}
	}
	before := len(d.cloud.Violations())
	for _, b := range devices {
		d.cloud.AddDevices(memfaulttest.Device{
			Serial: b.Serial, Cohort: b.Cohort, HardwareVersion: b.HardwareVersion,
			SoftwareType: b.SoftwareType, SoftwareVersion: b.SoftwareVersion,
		})
	}
	for _, violation := range d.cloud.Violations()[before:] {
		if strings.Contains(violation, "adds a device") {
			return errors.New(violation)
		}
	}
	return nil
}

// reportBody is the body of POST /fake/report.
type reportBody struct {
	Serial  string `json:"serial"`
	Version string `json:"version"`
}

func (d *door) report(b reportBody) error {
	if b.Serial == "" || b.Version == "" {
		return errors.New("serial and version must not be empty")
	}
	d.cloud.Report(b.Serial, b.Version)
	return nil
}

// clockBody is the body of POST /fake/clock.
type clockBody struct {
	Now     *time.Time `json:"now"`
	Advance string     `json:"advance"`
}

func (d *door) setClock(b clockBody) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case b.Now != nil && b.Advance != "":
		return errors.New("now and advance exclude each other")
	case b.Now != nil:
		d.offset = time.Until(*b.Now)
	case b.Advance != "":
		by, err := time.ParseDuration(b.Advance)
		if err != nil {
			return err
		}
		d.offset += by
	default:
		d.offset = 0
	}
	offset := d.offset
	d.cloud.SetClock(func() time.Time { return time.Now().Add(offset) })
	return nil
}

// requestView is an element of the response to GET /fake/requests.
type requestView struct {
	Operation  string      `json:"operation"`
	Method     string      `json:"method"`
	Path       string      `json:"path"`
	Query      url.Values  `json:"query"`
	Header     http.Header `json:"header"`
	Body       []byte      `json:"body"`
	Truncated  bool        `json:"truncated"`
	Credential string      `json:"credential"`
}

func requestViews(requests []memfaulttest.Request) []requestView {
	var views []requestView
	for _, r := range requests {
		views = append(views, requestView{r.Operation, r.Method, r.Path, r.Query, r.Header, r.Body, r.Truncated, r.Credential})
	}
	return views
}

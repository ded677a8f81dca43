package web

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/memfault-go/memfault"

	"github.com/memfault-go/memfault/examples/dashboard/internal/chart"
	"github.com/memfault-go/memfault/examples/dashboard/internal/store"
)

const (
	devicesPerPage = 50
	deviceTimeout  = 20 * time.Second // for all requests of the page of a device
)

type devicesView struct {
	pageView
	Query         url.Values
	Filter        store.Filter
	Unseen        bool
	Devices       []store.Device
	Total         int
	First, Last   int
	Before, After string // queries of the pages before and after; empty if there is none
}

// serveDevices serves the search, and the devices of a bar of the charts.
func (s *Server) serveDevices(w http.ResponseWriter, r *http.Request) {
	view := devicesView{pageView: s.newPage(r), Query: r.URL.Query()}
	view.Search = view.Query.Get("q")
	view.Filter = store.Filter{
		Text: view.Search, Version: view.Query.Get("version"), NoVersion: view.Query.Has("version") && view.Query.Get("version") == "",
		Cohort: view.Query.Get("cohort"), Hardware: view.Query.Get("hardware"),
	}
	if view.Unseen = view.Query.Has("unseen"); view.Unseen {
		view.Filter.UnseenSince = s.Now().Add(-s.UnseenAfter)
	}
	number, err := strconv.Atoi(cmp.Or(view.Query.Get("page"), "1"))
	if err != nil || number < 1 || number > 1e6 {
		s.message(w, r, http.StatusBadRequest, "Not a page", "The page must be a number from 1.")
		return
	}
	offset := (number - 1) * devicesPerPage
	view.Devices, view.Total, err = s.Store.Devices(r.Context(), view.Filter, view.Unseen, devicesPerPage, offset)
	if err != nil {
		s.fail(w, "The store could not be read.", err)
		return
	}
	if pages := max(1, (view.Total+devicesPerPage-1)/devicesPerPage); number > pages {
		s.message(w, r, http.StatusNotFound, "Not found", fmt.Sprintf("The list has no page %d; the last one is page %d.", number, pages))
		return
	}
	view.First, view.Last = offset+1, offset+len(view.Devices)
	if number > 1 {
		view.Before = s.pageQuery(view.Query, number-1)
	}
	if view.Last < view.Total {
		view.After = s.pageQuery(view.Query, number+1)
	}
	s.render(w, http.StatusOK, "devices", view)
}

func (s *Server) pageQuery(query url.Values, number int) string {
	values := url.Values{}
	for name, value := range query {
		values[name] = value
	}
	values.Set("page", strconv.Itoa(number))
	return values.Encode()
}

// block is a part of the page of a device. Each block is read, and can fail, independently.
type block struct {
	Problem string
	Unread  bool // because of a problem that the page describes
	ReadAt  time.Time
	advice  string
}

type deviceView struct {
	pageView
	Serial string
	// Stored is the device as it was last listed. Known reports whether it was ever listed.
	Stored  store.Device
	Known   bool
	Missing bool   // whether Memfault does not know it, any more
	Problem string // of all blocks

	Device       *memfault.Device
	DeviceBlock  block
	Attributes   []memfault.DeviceAttribute
	AttributesAt block
	Reboots      []memfault.Reboot
	RebootsAt    block
	Installs     []memfault.Install
	InstallsAt   block
	LogFiles     []memfault.LogFile
	LogFilesAt   block
}

// serveDevice reads a device when its page is opened: five requests.
func (s *Server) serveDevice(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), deviceTimeout)
	defer cancel()
	serial := r.PathValue("serial")
	view := &deviceView{pageView: s.newPage(r), Serial: serial}
	stored, err := s.Store.Device(ctx, serial)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		s.Log.Error("device not read", "error", err)
	}
	view.Stored, view.Known = stored, err == nil

	first := memfault.ListOptions{PerPage: 20}
	var reading sync.WaitGroup
	read := func(result *block, do func() error) {
		reading.Go(func() {
			err := do()
			result.ReadAt = s.Now()
			if errors.Is(err, memfault.ErrNotFound) {
				return // the page says it once
			}
			result.Problem, result.advice = s.explain(err), s.advice(err)
		})
	}
	read(&view.DeviceBlock, func() (err error) {
		view.Device, err = s.Client.Devices.Get(ctx, s.Project, serial)
		view.Missing = errors.Is(err, memfault.ErrNotFound)
		return err
	})
	read(&view.AttributesAt, func() error {
		return firstPage(ctx, s.Client.Devices.ListAttributes(s.Project, serial, memfault.DeviceAttributeListOptions{}), &view.Attributes)
	})
	read(&view.RebootsAt, func() error {
		return firstPage(ctx, s.Client.Devices.ListReboots(s.Project, serial, memfault.RebootListOptions{ListOptions: first}), &view.Reboots)
	})
	read(&view.InstallsAt, func() error {
		return firstPage(ctx, s.Client.Installs.List(s.Project, memfault.InstallListOptions{ListOptions: first, Device: []string{serial}}), &view.Installs)
	})
	read(&view.LogFilesAt, func() error {
		return firstPage(ctx, s.Client.Devices.ListLogFiles(s.Project, serial, memfault.LogFileListOptions{ListOptions: first}), &view.LogFiles)
	})
	reading.Wait()
	if view.Missing && !view.Known {
		s.message(w, r, http.StatusNotFound, "Not found", "No device of the project has the serial “"+chart.Visible(serial)+"”.")
		return
	}
	view.common()
	s.render(w, http.StatusOK, "device", view)
}

// common moves a problem that all blocks have to the top of the page.
func (v *deviceView) common() {
	blocks := []*block{&v.DeviceBlock, &v.AttributesAt, &v.RebootsAt, &v.InstallsAt, &v.LogFilesAt}
	for _, b := range blocks {
		if b.advice == "" || b.advice != blocks[0].advice {
			return
		}
	}
	v.Problem = v.DeviceBlock.Problem
	for _, b := range blocks {
		b.Problem = ""
		b.Unread = true
	}
}

// serveLogFile downloads a log file of a device.
func (s *Server) serveLogFile(w http.ResponseWriter, r *http.Request) {
	file := &download{w: w, name: r.PathValue("serial") + "-" + r.PathValue("cid") + ".log"}
	_, err := s.Client.Devices.DownloadLogFile(r.Context(), s.Project, r.PathValue("serial"), r.PathValue("cid"), file)
	switch {
	case err == nil:
		file.begin() // the file may be empty
	case file.begun:
		panic(http.ErrAbortHandler) // the browser must not take the file as complete
	case errors.Is(err, memfault.ErrNotFound):
		s.message(w, r, http.StatusNotFound, "Not found", "Memfault has no such log file.")
	default:
		s.message(w, r, http.StatusBadGateway, "Not read", s.explain(err))
	}
}

// download writes the header before the first byte, so that a failure before it can be a page.
type download struct {
	w     http.ResponseWriter
	name  string
	begun bool
}

func (d *download) begin() {
	if d.begun {
		return
	}
	d.begun = true
	d.w.Header().Set("Content-Type", "application/octet-stream")
	d.w.Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": d.name}))
}

// Write writes a part of the file.
func (d *download) Write(data []byte) (int, error) {
	d.begin()
	return d.w.Write(data)
}

func firstPage[T any](ctx context.Context, pager *memfault.Pager[T], items *[]T) error {
	page, err := pager.Page(ctx)
	if err == nil {
		*items = page.Items
	}
	return err
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	perPage   = 100
	listPages = 100 // pages of the list that all clients read
)

// server serves lists of the same items in the envelope of each client, the small responses,
// and the chunks endpoint. It runs in a process of its own.
type server struct {
	keys    [listPages]string // items of each page, without brackets
	devices [listPages]string
}

func newServer() *server {
	s := &server{}
	for page := range listPages {
		keys, devices := make([]string, perPage), make([]string, perPage)
		for i := range perPage {
			n := page*perPage + i + 1
			keys[i] = fmt.Sprintf(`{"id":%d,"name":"unit %d","title":"unit %[1]d","fingerprint":"b7:2f:30:a0:2f:6c:58:6c:21:04:58:61:ba:06:%[1]d","public_key":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA unit%[1]d","key":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA unit%[1]d","created":"2024-06-19T14:52:38Z","created_at":"2024-06-19T14:52:38Z"}`, n, n)
			devices[i] = fmt.Sprintf(`{"id":%d,"device_serial":"SN-%06[1]d","nickname":"unit %[1]d","description":"","hardware_version":{"name":"evt-1","primary_software_type":{"id":5,"name":"main"}},"cohort":{"id":9,"name":"Default","slug":"default","count_devices":12},"project":{"id":1,"name":"Sink","slug":"sink"},"first_seen":"2022-01-02T03:04:05+00:00","last_seen":"2024-06-19T14:52:38.794000+00:00","last_seen_software_version":{"id":6,"version":"1.0.0","archived":false,"software_type":{"id":5,"name":"main"}},"attributes_resolution":"normal","attributes_manual_resolution":null,"debugging_resolution":"off","debugging_manual_resolution":null,"timeseries_resolution":"normal","timeseries_manual_resolution":null,"server_side_developer_mode":false,"fleet_sampling_configuration":{"id":3},"assigned_config_revision":5,"reported_config_revision":4,"created_date":"2022-01-02T03:04:05+00:00","updated_date":"2024-06-19T14:52:38.794000+00:00"}`, n)
		}
		s.keys[page], s.devices[page] = strings.Join(keys, ","), strings.Join(devices, ",")
	}
	return s
}

const (
	unitsPath   = "/api/v0/units"
	devicesPath = "/api/v0/devices"
	chunksPath  = "/api/v0/chunks/"
	delayedPath = "/delayed/"
)

func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+unitsPath, func(w http.ResponseWriter, r *http.Request) { s.list(w, r, &s.keys, memfaultPage) })
	mux.HandleFunc("GET "+devicesPath, func(w http.ResponseWriter, r *http.Request) { s.list(w, r, &s.devices, memfaultPage) })
	mux.HandleFunc("GET /user/keys", func(w http.ResponseWriter, r *http.Request) { s.list(w, r, &s.keys, githubPage) })
	mux.HandleFunc("GET /api/v4/projects/1/deploy_keys", func(w http.ResponseWriter, r *http.Request) { s.list(w, r, &s.keys, gitlabPage) })
	mux.HandleFunc("GET /ssh_keys", func(w http.ResponseWriter, r *http.Request) { s.list(w, r, &s.keys, hcloudPage) })
	mux.HandleFunc("GET /v2/account/keys", func(w http.ResponseWriter, r *http.Request) { s.list(w, r, &s.keys, godoPage) })
	mux.HandleFunc("GET /api/v0/organizations/{organization}/projects/{project}/devices/{serial}", func(w http.ResponseWriter, _ *http.Request) {
		write(w, `{"data":{"id":1,"device_serial":"SN-1"}}`)
	})
	mux.HandleFunc("POST "+chunksPath+"{serial}", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusAccepted)
	})
	mux.HandleFunc(delayedPath+"{delay}/", func(w http.ResponseWriter, r *http.Request) {
		delay, err := time.ParseDuration(r.PathValue("delay"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		time.Sleep(delay)
		http.StripPrefix(delayedPath+r.PathValue("delay"), mux).ServeHTTP(w, r)
	})
	return mux
}

// delayed returns the address at which the server waits before each response.
func delayed(url string, delay time.Duration) string { return url + delayedPath + delay.String() }

// pagesParameter is the query parameter with the number of pages in a list. It is listPages
// by default.
const pagesParameter = "pages"

// list serves a page in the envelope that wrap adds.
func (s *server) list(w http.ResponseWriter, r *http.Request, items *[listPages]string, wrap func(w http.ResponseWriter, items string, page, pages int) string) {
	page, pages := 1, listPages
	if text := r.URL.Query().Get("page"); text != "" {
		page, _ = strconv.Atoi(text)
	}
	if text := r.URL.Query().Get(pagesParameter); text != "" {
		pages, _ = strconv.Atoi(text)
	}
	if page < 1 || page > pages {
		http.NotFound(w, r)
		return
	}
	write(w, wrap(w, items[(page-1)%listPages], page, pages))
}

func write(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = io.WriteString(w, body)
}

func memfaultPage(_ http.ResponseWriter, items string, page, pages int) string {
	return fmt.Sprintf(`{"data":[%s],"paging":{"item_count":%d,"page":%d,"page_count":%d,"per_page":%[2]d,"total_count":%[5]d}}`, items, perPage, page, pages, pages*perPage)
}

func githubPage(w http.ResponseWriter, items string, page, pages int) string {
	if page < pages {
		w.Header().Set("Link", fmt.Sprintf(`<http://127.0.0.1/user/keys?page=%d>; rel="next", <http://127.0.0.1/user/keys?page=%d>; rel="last"`, page+1, pages))
	}
	return "[" + items + "]"
}

func gitlabPage(w http.ResponseWriter, items string, page, pages int) string {
	if page < pages {
		w.Header().Set("X-Next-Page", strconv.Itoa(page+1))
	}
	return "[" + items + "]"
}

func hcloudPage(_ http.ResponseWriter, items string, page, pages int) string {
	next := "null"
	if page < pages {
		next = strconv.Itoa(page + 1)
	}
	return fmt.Sprintf(`{"ssh_keys":[%s],"meta":{"pagination":{"page":%d,"per_page":%d,"next_page":%s,"last_page":%d,"total_entries":%d}}}`, items, page, perPage, next, pages, pages*perPage)
}

func godoPage(_ http.ResponseWriter, items string, page, pages int) string {
	links := "{}"
	if page < pages {
		links = fmt.Sprintf(`{"pages":{"next":"http://127.0.0.1/v2/account/keys?page=%d","last":"http://127.0.0.1/v2/account/keys?page=%d"}}`, page+1, pages)
	}
	return fmt.Sprintf(`{"ssh_keys":[%s],"links":%s,"meta":{"total":%d}}`, items, links, pages*perPage)
}

// serve runs the other process until standard input ends.
func serve() error {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("http://" + listener.Addr().String())
	web := &http.Server{Handler: newServer().handler(), ReadHeaderTimeout: time.Minute}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // ends with the measuring process
		_ = web.Close()
	}()
	if err := web.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

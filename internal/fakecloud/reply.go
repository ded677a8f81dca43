package fakecloud

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// reply is an HTTP response, ready to be sent.
type reply struct {
	status int
	header map[string]string
	body   []byte
	serve  func(http.ResponseWriter) // if set, writes the whole response
}

func (a reply) write(w http.ResponseWriter) {
	if a.serve != nil {
		a.serve(w)
		return
	}
	for name, value := range a.header {
		w.Header().Set(name, value)
	}
	w.Header().Set("X-Request-Id", newUUID())
	if len(a.body) > 0 {
		w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // the client may have closed the connection
}

func (a reply) with(name, value string) reply {
	header := map[string]string{name: value}
	for n, v := range a.header {
		header[n] = v
	}
	a.header = header
	return a
}

func bare(value any) reply {
	body, err := JSON(value)
	if err != nil {
		panic(err) // cannot happen with the types of this package
	}
	return reply{status: http.StatusOK, header: map[string]string{"Content-Type": "application/json"}, body: body}
}

type object = map[string]any

func data(value any) reply { return bare(object{"data": value}) }

func noContent() reply { return reply{status: http.StatusNoContent} }

// failure returns the API's error envelope, without code if it is 0 and without type if kind
// is empty.
func failure(status, code int, kind string, message any) reply {
	envelope := object{"http_code": status, "message": message}
	if code != 0 {
		envelope["code"] = code
	}
	if kind != "" {
		envelope["type"] = kind
	}
	a := bare(object{"error": envelope})
	a.status = status
	return a
}

func fail(status int, message string) reply { return failure(status, 0, "", message) }

// badUpload returns the 400 of a file that cannot be accepted. Every 400 of a commit has a type,
// because the command-line tool of Memfault reads it without a check.
//
// UNCERTAIN(list-error-type): which type it is.
func badUpload(message string) reply {
	return failure(http.StatusBadRequest, 0, "InvalidUsageError", message)
}

func notFound(message string) reply {
	return failure(http.StatusNotFound, 1003, "NotFoundError", message)
}

// invalid returns the error of an invalid field. Its message is an object.
func invalid(field, why string) reply {
	return failure(http.StatusBadRequest, 1000, "InvalidUsageError", object{field: []string{why}})
}

// list returns the page of items that the query selects. A page has 20 items by default and
// at most 100.
func list[T, V any](r *request, items []T, view func(T) V) reply {
	page, perPage := 1, 20
	for name, to := range map[string]*int{"page": &page, "per_page": &perPage} {
		if text := r.query.Get(name); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil || n < 1 {
				return invalid(name, "Not a valid integer.")
			}
			*to = n
		}
	}
	perPage = min(perPage, 100)
	total := len(items)
	start := min((page-1)*perPage, total)
	views := []V{}
	for _, item := range items[start:min(start+perPage, total)] {
		views = append(views, view(item))
	}
	return bare(object{"data": views, "paging": object{
		"item_count": len(views), "page": page, "page_count": (total + perPage - 1) / perPage,
		"per_page": perPage, "total_count": total,
	}})
}

// filter returns a new slice with the items for which keep returns true.
func filter[T any](items []T, keep func(T) bool) []T {
	var kept []T
	for _, item := range items {
		if keep(item) {
			kept = append(kept, item)
		}
	}
	return kept
}

// sortBy sorts items in place if the query contains the sort key, in its direction.
func sortBy[T any](r *request, items []T, key string, compare func(a, b T) int) {
	sort, descending := strings.CutPrefix(r.query.Get("sort"), "-")
	if sort != key {
		return
	}
	slices.SortStableFunc(items, func(a, b T) int {
		if descending {
			return compare(b, a)
		}
		return compare(a, b)
	})
}

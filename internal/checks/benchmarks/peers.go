package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/digitalocean/godo"
	"github.com/google/go-github/v89/github"
	"github.com/hetznercloud/hcloud-go/v2/hcloud"
	gitlab "gitlab.com/gitlab-org/api/client-go/v2"

	"github.com/memfault-go/memfault"
)

// key is a list item. The peers decode it into their own types, which have the same fields.
type key struct {
	ID          int64     `json:"id"`
	Name        string    `json:"name"`
	Title       string    `json:"title"`
	Fingerprint string    `json:"fingerprint"`
	PublicKey   string    `json:"public_key"`
	Created     time.Time `json:"created"`
}

// lister reads a whole list and returns the number of items.
type lister func(ctx context.Context) (int, error)

// competitor is a client that lists the same items.
type competitor struct {
	name string
	list lister
}

// newHTTPClient returns a client with connections of its own.
func newHTTPClient() *http.Client {
	return &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}
}

// newClient returns the client of the package.
func newClient(url string) (*memfault.Client, error) {
	return memfault.NewClient(memfault.OrganizationToken("oat_test"), memfault.WithBaseURL(url))
}

// ours lists with the package, into items of type T.
func ours[T any](url, path string) (lister, error) {
	client, err := newClient(url)
	if err != nil {
		return nil, err
	}
	pager := memfault.NewPager[T](client, memfault.Request{Path: path})
	return func(ctx context.Context) (n int, err error) {
		for _, err := range pager.All(ctx) {
			if err != nil {
				return n, err
			}
			n++
		}
		return n, nil
	}, nil
}

// bare is a client as a careful program would write it with net/http alone.
type bare struct {
	client  *http.Client
	buffers sync.Pool
}

func newBare() *bare {
	return &bare{client: newHTTPClient(), buffers: sync.Pool{New: func() any { return new(bytes.Buffer) }}}
}

func (b *bare) get(ctx context.Context, url string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer oat_test")
	resp, err := b.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // the body was read
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("unexpected status %s", resp.Status)
	}
	buffer := b.buffers.Get().(*bytes.Buffer)
	defer b.buffers.Put(buffer)
	buffer.Reset()
	buffer.Grow(int(resp.ContentLength) + bytes.MinRead)
	if _, err := buffer.ReadFrom(resp.Body); err != nil {
		return err
	}
	return json.Unmarshal(buffer.Bytes(), into)
}

// bareList lists without a library, into items of type T.
func bareList[T any](b *bare, url string) lister {
	return func(ctx context.Context) (n int, err error) {
		for page := 1; ; page++ {
			var body struct {
				Data   []T             `json:"data"`
				Paging memfault.Paging `json:"paging"`
			}
			if err := b.get(ctx, fmt.Sprintf("%s?page=%d&per_page=%d", url, page, perPage), &body); err != nil {
				return n, err
			}
			if n += len(body.Data); page >= body.Paging.PageCount {
				return n, nil
			}
		}
	}
}

// peers returns the other libraries.
func peers(url string) ([]competitor, error) {
	base := url + "/"
	hub, err := github.NewClient(github.WithHTTPClient(newHTTPClient()), github.WithAuthToken("t"), github.WithURLs(&base, &base))
	if err != nil {
		return nil, err
	}
	lab, err := gitlab.NewClient("t", gitlab.WithBaseURL(url), gitlab.WithHTTPClient(newHTTPClient()), gitlab.WithCustomLimiter(unlimited{}))
	if err != nil {
		return nil, err
	}
	hetzner := hcloud.NewClient(hcloud.WithToken("t"), hcloud.WithEndpoint(url), hcloud.WithHTTPClient(newHTTPClient()))
	ocean, err := godo.New(newHTTPClient(), godo.SetBaseURL(base))
	if err != nil {
		return nil, err
	}
	return []competitor{
		{"go-github", func(ctx context.Context) (n int, err error) {
			options := &github.ListOptions{PerPage: perPage}
			for {
				items, resp, err := hub.Users.ListKeys(ctx, "", options)
				if err != nil {
					return n, err
				}
				if n += len(items); resp.NextPage == 0 {
					return n, nil
				}
				options.Page = resp.NextPage
			}
		}},
		{"gitlab client-go", func(ctx context.Context) (n int, err error) {
			options := &gitlab.ListProjectDeployKeysOptions{ListOptions: gitlab.ListOptions{PerPage: perPage}}
			for {
				items, resp, err := lab.DeployKeys.ListProjectDeployKeys(1, options, gitlab.WithContext(ctx))
				if err != nil {
					return n, err
				}
				if n += len(items); resp.NextPage == 0 {
					return n, nil
				}
				options.Page = resp.NextPage
			}
		}},
		{"hcloud-go", func(ctx context.Context) (int, error) {
			items, err := hetzner.SSHKey.AllWithOpts(ctx, hcloud.SSHKeyListOpts{ListOpts: hcloud.ListOpts{PerPage: perPage}})
			return len(items), err
		}},
		{"godo", func(ctx context.Context) (n int, err error) {
			options := &godo.ListOptions{PerPage: perPage}
			for page := 1; ; page++ {
				options.Page = page
				items, resp, err := ocean.Keys.List(ctx, options)
				if err != nil {
					return n, err
				}
				if n += len(items); resp.Links == nil || resp.Links.IsLastPage() {
					return n, nil
				}
			}
		}},
	}, nil
}

// unlimited is the rate limiter of a client that must not wait.
type unlimited struct{}

func (unlimited) Wait(context.Context) error { return nil }

package main

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"
)

// credentials are the token and the key that the clients use, by their generation.
type credentials struct{ tokens, keys atomic.Int64 }

func (c *credentials) use(generation int64) {
	c.tokens.Store(generation)
	c.keys.Store(generation)
}

func tokenText(generation int64) string { return fmt.Sprint("oat_soak_", generation) }
func keyText(generation int64) string   { return fmt.Sprint("key_soak_", generation) }

func (c *credentials) token(context.Context) (string, error) { return tokenText(c.tokens.Load()), nil }
func (c *credentials) key(context.Context) (string, error)   { return keyText(c.keys.Load()), nil }

// allow sets the generations that the cloud accepts.
func (s *soak) allow(ctx context.Context, tokens, keys []int64) error {
	valid := validCredentials{}
	for _, generation := range tokens {
		valid.Tokens = append(valid.Tokens, tokenText(generation))
	}
	for _, generation := range keys {
		valid.Keys = append(valid.Keys, keyText(generation))
	}
	return s.control(ctx, http.MethodPost, "/soak/credentials", valid, nil)
}

// rotate replaces the token and the key ten times. For a while, the old and the new token are
// both valid. The old key ends before the client gets the new key, so that the
// chunk sender must wait.
func (s *soak) rotate(ctx, running context.Context, duration time.Duration) {
	for generation := int64(1); ; generation++ {
		sleep(running, duration/11)
		if running.Err() != nil {
			return
		}
		next := generation + 1
		if err := s.allow(ctx, []int64{generation, next}, []int64{next}); err != nil {
			s.ledger.broke(promiseCalls, 1, "replacing the credentials: %v", err)
			return
		}
		s.credentials.tokens.Store(next)
		if err := s.allow(ctx, []int64{next}, []int64{next}); err != nil {
			s.ledger.broke(promiseCalls, 1, "replacing the credentials: %v", err)
			return
		}
		sleep(ctx, 200*time.Millisecond)
		s.credentials.keys.Store(next)
		s.ledger.did("credentials replaced")
	}
}

package memfault_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
)

// printAll formats a value with fmt and log/slog in every usual way.
func printAll(value any) string {
	var b strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&b, verb+"\n", value)
		fmt.Fprintf(&b, verb+"\n", struct{ inner any }{value})
		fmt.Fprintf(&b, verb+"\n", []any{value})
	}
	slog.New(slog.NewTextHandler(&b, nil)).Info("m", "value", value)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("m", "value", value)
	return b.String()
}

// requireNoSecret fails if text contains a secret in plain form, in hexadecimal, in base64,
// or as the decimal numbers of its bytes (%d).
func requireNoSecret(t *testing.T, text string) {
	t.Helper()
	for _, secret := range []string{"s3cret", "S3CRET"} {
		for _, form := range []string{
			secret, fmt.Sprintf("%x", secret), strings.Trim(fmt.Sprintf("%d", []byte(secret)), "[]"),
			base64.StdEncoding.EncodeToString([]byte("jane@acme.example:" + secret))[:30],
		} {
			require.NotContains(t, text, form)
		}
	}
}

func TestSecrets_NotPrintedOrLogged(t *testing.T) {
	for name, auth := range everyCredential() {
		if name == "custom" {
			continue // the package cannot hide what it contains
		}
		t.Run(name, func(t *testing.T) {
			var logged bytes.Buffer
			// The response contains the credential of the request.
			_, client := newServer(t, func(w http.ResponseWriter, r *http.Request) {
				_, password, _ := r.BasicAuth()
				w.WriteHeader(http.StatusTeapot)
				_, _ = fmt.Fprintf(w, `{"error":{"message":{"auth":%q},"type":%q}}`, r.Header.Get("Authorization")+r.Header.Get("Memfault-Project-Key"), "echo "+password)
			}, memfault.WithLogger(slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))),
				memfault.WithObserver(func(_ context.Context, a memfault.Attempt) { logged.WriteString(printAll(a)) }))
			client = client.WithAuth(auth)

			err := client.Do(t.Context(), memfault.Request{Path: "/x", Query: url.Values{"signature": {"s3cret"}}}, nil)
			apiError := requireError(t, err, http.StatusTeapot)
			assert.Contains(t, string(apiError.Body), "[redacted]")
			_, usage := client.Account.GetAPIKey(t.Context())
			for _, value := range []any{auth, client, *client, client.Devices, *client.Devices, err, *apiError, usage, memfault.WithLogger(nil)} {
				requireNoSecret(t, printAll(value))
			}
			requireNoSecret(t, string(apiError.Body)+string(apiError.Details)+apiError.Message+apiError.Type)
			requireNoSecret(t, logged.String())
			assert.NotEmpty(t, logged.String())
		})
	}
}

func TestSecrets_NoQueryAfterLostConnection(t *testing.T) {
	var logged bytes.Buffer
	server, client := newServer(t, nil, memfault.WithLogger(slog.New(slog.NewTextHandler(&logged, nil))))
	server.Close()
	err := client.Do(t.Context(), memfault.Request{Path: "/api/v0/x", Query: url.Values{"token": {"s3cret"}}}, nil)
	require.Error(t, err)
	requireNoSecret(t, printAll(err)+logged.String())
	for cause := err; cause != nil; {
		requireNoSecret(t, cause.Error())
		if joined, ok := cause.(interface{ Unwrap() []error }); ok {
			cause = joined.Unwrap()[0]
			continue
		}
		single, ok := cause.(interface{ Unwrap() error })
		if !ok {
			break
		}
		cause = single.Unwrap()
	}
	assert.Contains(t, err.Error(), "GET /api/v0/x")
}

func TestSecrets_NoPresignedURLInError(t *testing.T) {
	for _, body := range []string{
		`{"error":{"message":"cannot reach https://bucket.example/up?X-Signature=s3cret&x=1 now"}}`,
		`{"error":{"message":{"url":"https://bucket.example/up?X-Signature=s3cret"}}}`,
		`{"error":{"message":{"url":"https:\/\/bucket.example\/up?a=1\u0026X-Signature=s3cret"}}}`,
		`{"error":{"message":"see https://bucket.example/up\u003fX-Signature=s3cret"}}`,
		`see //bucket.example/up?X-Signature=s3cret`,
		`see bucket.example/up?X-Signature=s3cret`,
	} {
		for _, code := range []int{400, 200} {
			_, client := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(code)
				_, _ = io.WriteString(w, body)
			})
			err := get(t.Context(), client)
			requireNoSecret(t, printAll(err)+string(requireError(t, err, code).Body))
			if code == 400 || !strings.HasPrefix(body, "{") {
				assert.Contains(t, err.Error(), "bucket.example", "the rest of the text must remain")
			}
		}
	}
}

func TestWithLogger_LogLines(t *testing.T) {
	var logged bytes.Buffer
	cloud, client := newCloud(t, memfault.WithLogger(slog.New(slog.NewJSONHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))))
	require.NoError(t, get(t.Context(), client))
	assert.Contains(t, logged.String(), `"level":"DEBUG","msg":"memfault attempt","operation":"projects.retrieve","method":"GET"`)
	assert.Contains(t, logged.String(), `"status":200`)

	logged.Reset()
	cloud.Fail(failOnce(429))
	require.NoError(t, get(t.Context(), client))
	assert.Contains(t, logged.String(), `"level":"WARN"`)
	assert.Contains(t, logged.String(), `"attempt":2`)
}

package memfault_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/memfault-go/memfault"
)

const (
	webhookSecret = "s3cret"
	issueCreated  = `{"type":"issue.created","project":{"id":7,"slug":"smart-sink"},"issue":{"id":12,"title":"Assert"}}`
)

// signed returns the header of a delivery with the given signature. "" is no signature.
func signed(signature string) http.Header {
	header := http.Header{}
	if signature != "" {
		header.Set("X-Signature-SHA256", signature)
	}
	return header
}

// signatureForms returns the signature of a body in the forms that VerifyWebhook accepts.
func signatureForms(secret string, body []byte) map[string]string {
	digits := memfault.SignWebhook(secret, body).Get("X-Signature-SHA256")
	digest, err := hex.DecodeString(digits)
	if err != nil {
		panic(err)
	}
	inBase64 := base64.StdEncoding.EncodeToString(digest)
	return map[string]string{
		"hex": digits, "upper hex": strings.ToUpper(digits), "sha256= and hex": "sha256=" + digits,
		"base64": inBase64, "sha256= and base64": "sha256=" + inBase64,
	}
}

func TestSignWebhook_Header(t *testing.T) {
	// The digest is that of: printf %s "$body" | openssl dgst -sha256 -hmac key
	header := memfault.SignWebhook("key", []byte("The quick brown fox jumps over the lazy dog"))
	assert.Equal(t, http.Header{
		"Content-Type":       {"application/json"},
		"X-Signature-Sha256": {"f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"},
	}, header)
}

func TestVerifyWebhook_Forms(t *testing.T) {
	for name, signature := range signatureForms(webhookSecret, []byte(issueCreated)) {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, memfault.VerifyWebhook(signed(signature), []byte(issueCreated), webhookSecret))
			require.ErrorIs(t, memfault.VerifyWebhook(signed(signature), []byte(issueCreated+"\n"), webhookSecret), memfault.ErrWebhookSignature)
			require.ErrorIs(t, memfault.VerifyWebhook(signed(signature), nil, webhookSecret), memfault.ErrWebhookSignature)
			require.ErrorIs(t, memfault.VerifyWebhook(signed(signature), []byte(issueCreated), webhookSecret+"x"), memfault.ErrWebhookSignature)
		})
	}
}

func TestVerifyWebhook_WrongSignature(t *testing.T) {
	digits := memfault.SignWebhook(webhookSecret, []byte(issueCreated)).Get("X-Signature-SHA256")
	for _, signature := range []string{
		"", " ", "sha256=", "SHA256=" + digits, "sha256=sha256=" + digits, digits[:63], digits + "0", " " + digits,
		strings.Repeat("0", 64), "x" + digits[1:], "sha1=" + digits, digits + "," + digits,
		base64.StdEncoding.EncodeToString([]byte(digits)), strings.TrimRight(signatureForms(webhookSecret, []byte(issueCreated))["base64"], "="),
	} {
		err := memfault.VerifyWebhook(signed(signature), []byte(issueCreated), webhookSecret)
		require.ErrorIs(t, err, memfault.ErrWebhookSignature, signature)
		require.NotErrorIs(t, err, memfault.ErrInvalidArgument)
		assert.NotContains(t, err.Error(), digits)
		requireNoSecret(t, printAll(err))
	}
	require.EqualError(t, memfault.VerifyWebhook(nil, nil, webhookSecret), "memfault: VerifyWebhook: missing X-Signature-SHA256 header")
	require.EqualError(t, memfault.VerifyWebhook(signed("x"), nil, webhookSecret), "memfault: VerifyWebhook: signature mismatch")
}

func TestVerifyWebhook_SeveralSecrets(t *testing.T) {
	body := []byte(issueCreated)
	for _, secret := range []string{"old", "new"} {
		header := memfault.SignWebhook(secret, body)
		require.NoError(t, memfault.VerifyWebhook(header, body, "old", "new"))
		require.NoError(t, memfault.VerifyWebhook(header, body, "", "new", "", "old"))
		require.ErrorIs(t, memfault.VerifyWebhook(header, body, "other", "another"), memfault.ErrWebhookSignature)
	}
}

func TestVerifyWebhook_NoSecrets(t *testing.T) {
	header := memfault.SignWebhook("", []byte(issueCreated))
	for _, secrets := range [][]string{nil, {}, {""}, {"", ""}} {
		err := memfault.VerifyWebhook(header, []byte(issueCreated), secrets...)
		require.EqualError(t, err, "memfault: VerifyWebhook: secrets must not be empty")
		require.ErrorIs(t, err, memfault.ErrInvalidArgument)
		require.NotErrorIs(t, err, memfault.ErrWebhookSignature)
	}
	// Anyone can sign with an empty secret.
	require.ErrorIs(t, memfault.VerifyWebhook(header, []byte(issueCreated), "", webhookSecret), memfault.ErrWebhookSignature)
}

func TestParseWebhook_Event(t *testing.T) {
	body := []byte(issueCreated)
	event, err := memfault.ParseWebhook(http.Header{"Memfault-Delivery": {"d-1"}}, body)
	require.NoError(t, err)
	assert.Equal(t, &memfault.WebhookEvent{
		Type: memfault.WebhookTypeIssueCreated, Delivery: "d-1",
		Project: memfault.WebhookProject{ID: 7, Slug: "smart-sink"}, Payload: json.RawMessage(issueCreated),
	}, event)

	clear(body)
	assert.JSONEq(t, issueCreated, string(event.Payload), "the payload must not change with the caller's buffer")
	var payload struct{ Issue struct{ ID int64 } }
	require.NoError(t, event.Decode(&payload))
	assert.EqualValues(t, 12, payload.Issue.ID)
}

func TestParseWebhook_ProjectForms(t *testing.T) {
	for project, want := range map[string]memfault.WebhookProject{
		`{"id":7,"slug":"a"}`:                    {ID: 7, Slug: "a"},
		`{"id":"7","slug":"a"}`:                  {ID: 7, Slug: "a"},
		`{"id":9223372036854775807}`:             {ID: math.MaxInt64},
		`{"id":9223372036854775808,"slug":"a"}`:  {Slug: "a"},
		`{"id":"9223372036854775808"}`:           {},
		`{"id":"6f1c-uuid","slug":"a"}`:          {Slug: "a"},
		`{"id":7.5,"slug":"a"}`:                  {Slug: "a"},
		`{"id":{"x":1},"slug":"a"}`:              {Slug: "a"},
		`{"id":null,"slug":null}`:                {},
		`{"id":"","slug":"a","name":"x","n":[]}`: {Slug: "a"},
		`{"id":7,"slug":8}`:                      {ID: 7},
		`"sink"`:                                 {Slug: "sink"},
		`7`:                                      {ID: 7},
		`"7"`:                                    {Slug: "7"},
		`["sink"]`:                               {},
		`true`:                                   {},
		`null`:                                   {},
		`{}`:                                     {},
	} {
		event, err := memfault.ParseWebhook(nil, []byte(`{"type":"something.new","project":`+project+`}`))
		require.NoError(t, err, project)
		assert.Equal(t, want, event.Project, project)
		assert.Equal(t, memfault.WebhookType("something.new"), event.Type)
		assert.Empty(t, event.Delivery)
	}
}

func TestParseWebhook_InvalidInput(t *testing.T) {
	for _, body := range []string{
		"", " ", "null", "[]", `"x"`, "{", "{}", `{"type":""}`, `{"type":null}`, `{"type":7}`, `{"type":"a"} x`,
		strings.Repeat(`{"type":`, 20_000),
	} {
		event, err := memfault.ParseWebhook(nil, []byte(body))
		require.ErrorIs(t, err, memfault.ErrInvalidArgument, body)
		assert.True(t, strings.HasPrefix(err.Error(), "memfault: ParseWebhook: "), err)
		assert.Nil(t, event)
	}
}

func TestWebhookEvent_DecodeErrors(t *testing.T) {
	event := &memfault.WebhookEvent{Payload: json.RawMessage(issueCreated)}
	var wrong struct{ Issue string }
	for _, out := range []any{nil, wrong, (*struct{})(nil), &wrong} {
		err := event.Decode(out)
		require.ErrorIs(t, err, memfault.ErrInvalidArgument)
		assert.True(t, strings.HasPrefix(err.Error(), "memfault: WebhookEvent.Decode: "), err)
	}
	require.ErrorIs(t, (*memfault.WebhookEvent)(nil).Decode(&wrong), memfault.ErrInvalidArgument)
	require.ErrorIs(t, new(memfault.WebhookEvent).Decode(&wrong), memfault.ErrInvalidArgument)
}

func TestWebhookEvent_RoundTrip(t *testing.T) {
	event, err := memfault.ParseWebhook(http.Header{"Memfault-Delivery": {"d-1"}}, []byte(issueCreated))
	require.NoError(t, err)
	encoded, err := json.Marshal(event)
	require.NoError(t, err)
	assert.JSONEq(t, `{"type":"issue.created","delivery":"d-1","project":{"id":7,"slug":"smart-sink"},"payload":`+issueCreated+`}`, string(encoded))
	var again memfault.WebhookEvent
	require.NoError(t, json.Unmarshal(encoded, &again))
	assert.Equal(t, *event, again)
}

func FuzzWebhook(f *testing.F) {
	f.Add([]byte(issueCreated), "s3cret", "sha256=00", "d-1", uint(9))
	f.Add([]byte(`{"type":"a","project":{"id":"7"}}`), "", "", "", uint(0))
	f.Add([]byte("{\"type\":\"\xff\"}"), strings.Repeat("k", 65), "====", strings.Repeat("d", 300), uint(1<<20))
	f.Fuzz(func(t *testing.T, body []byte, secret, signature, delivery string, bit uint) {
		header := http.Header{"X-Signature-Sha256": {signature}, "Memfault-Delivery": {delivery}}
		verifyErr := memfault.VerifyWebhook(header, body, secret)
		event, err := memfault.ParseWebhook(header, body)
		assert.Equal(t, err == nil, event != nil)
		if event != nil {
			assert.Equal(t, delivery, event.Delivery)
			assert.Equal(t, body, []byte(event.Payload))
		}
		if errors.Is(verifyErr, memfault.ErrInvalidArgument) { // an empty secret, or one in quotes or white space
			assert.Equal(t, http.StatusInternalServerError, serveWebhook(secret, header, body))
			return
		}
		assert.Equal(t, handledStatus(verifyErr == nil, err), serveWebhook(secret, header, body))
		for _, signature := range signatureForms(secret, body) {
			header.Set("X-Signature-SHA256", signature)
			require.NoError(t, memfault.VerifyWebhook(header, body, "other", secret))
			assert.Equal(t, handledStatus(true, err), serveWebhook(secret, header, body))
			if len(body) > 0 {
				require.ErrorIs(t, memfault.VerifyWebhook(header, flipBit(body, bit), secret), memfault.ErrWebhookSignature)
			}
			header.Set("X-Signature-SHA256", string(flipBit([]byte(signature), bit)))
			require.ErrorIs(t, memfault.VerifyWebhook(header, body, secret), memfault.ErrWebhookSignature)
		}
	})
}

func flipBit(text []byte, bit uint) []byte {
	text = slices.Clone(text)
	text[int(bit/8%uint(len(text)))] ^= 1 << (bit % 8)
	return text
}

// handledStatus returns the status with which a handler must respond to a delivery.
func handledStatus(valid bool, parseError error) int {
	switch {
	case !valid:
		return http.StatusUnauthorized
	case parseError != nil:
		return http.StatusBadRequest
	default:
		return http.StatusOK
	}
}

// serveWebhook returns the status with which a new handler responds to a delivery.
func serveWebhook(secret string, header http.Header, body []byte) int {
	handler := memfault.NewWebhookHandler(memfault.WebhookOptions{Secrets: []string{secret}}, succeed)
	request := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
	request.Header = header
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	return recorder.Code
}

package memfault

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// ErrWebhookSignature is returned by [VerifyWebhook] if the signature of a webhook delivery is
// missing or wrong.
var ErrWebhookSignature = errors.New("memfault: wrong webhook signature")

// wrappedSecret is a problem that would otherwise end as a wrong signature.
const wrappedSecret = "a secret must not begin or end with white space, or be in quotes"

const (
	deliveryHeader  = "Memfault-Delivery"
	signatureHeader = "X-Signature-SHA256"
)

// WebhookType is the type of a webhook event. Memfault can send types that have no constant.
type WebhookType string

// Known types of webhook events.
const (
	WebhookTypeTestNotificationDispatched          WebhookType = "test_notification.dispatched"
	WebhookTypeIssueCreated                        WebhookType = "issue.created"
	WebhookTypeIssueReopened                       WebhookType = "issue.reopened"
	WebhookTypeIssueRegressed                      WebhookType = "issue.regressed"
	WebhookTypeIssueResolved                       WebhookType = "issue.resolved"
	WebhookTypeIssueCommentCreated                 WebhookType = "issue_comment.created"
	WebhookTypeDeviceThresholdAlertSummary         WebhookType = "device_threshold_alert.summary"
	WebhookTypeDeviceThresholdAlertIncidentStarted WebhookType = "device_threshold_alert.incident_started"
	WebhookTypeDeviceThresholdAlertIncidentEnded   WebhookType = "device_threshold_alert.incident_ended"
	WebhookTypeFleetThresholdAlertTriggered        WebhookType = "fleet_threshold_alert.triggered"
)

// WebhookEvent is a request that Memfault sends to a webhook.
//
// UNCERTAIN(webhook-fields): which fields each type of event has. Memfault calls webhooks
// experimental and may change them, so the package decodes only the type and the project.
//
// Memfault: https://docs.memfault.com/docs/platform/webhooks
type WebhookEvent struct {
	Type WebhookType `json:"type"`
	// Delivery identifies the delivery. Memfault sends the same value when it repeats a
	// delivery. It is empty if the request has no Memfault-Delivery header.
	Delivery string         `json:"delivery"`
	Project  WebhookProject `json:"project"`
	// Payload is the whole request body, including the type and the project.
	Payload json.RawMessage `json:"payload"`
}

// WebhookProject identifies the project of a webhook event.
type WebhookProject struct {
	// ID is 0 if Memfault sent no ID, or an ID that is not an integer.
	ID   int64  `json:"id"`
	Slug string `json:"slug"`
}

// UnmarshalJSON decodes a project. The ID can be a number or a string. Instead of an object, a
// string is the slug, and a number is the ID. A value of any other form is ignored.
func (p *WebhookProject) UnmarshalJSON(data []byte) error {
	*p = WebhookProject{}
	var project struct {
		ID   json.RawMessage `json:"id"`
		Slug json.RawMessage `json:"slug"`
	}
	if json.Unmarshal(data, &project) != nil {
		project.Slug = data
		if data[0] != '"' {
			project.ID = data
		}
	}
	_ = json.Unmarshal(project.Slug, &p.Slug) // "" if it is not a string
	id, err := strconv.ParseInt(strings.Trim(string(project.ID), `"`), 10, 64)
	if err == nil { // otherwise ParseInt returns the nearest int64 for an ID out of range
		p.ID = id
	}
	return nil
}

// Decode decodes the payload into out, as [json.Unmarshal] does.
//
// If the payload does not fit, Decode fails with [ErrInvalidArgument].
func (e *WebhookEvent) Decode(out any) error {
	if e == nil {
		return invalid("WebhookEvent.Decode: nil event")
	}
	if err := json.Unmarshal(e.Payload, out); err != nil {
		return invalid("WebhookEvent.Decode: %w", err)
	}
	return nil
}

// VerifyWebhook checks the signature of a webhook delivery: the HMAC-SHA256 of the request
// body, with a secret of the webhook as its key, in the X-Signature-SHA256 header. The body
// must be the request body byte for byte. With several secrets, one of them must match, so that
// a secret can be rotated. Empty secrets are ignored. The comparison takes constant time.
//
// If the signature is missing or wrong, VerifyWebhook fails with [ErrWebhookSignature]. If all
// secrets are empty, if there are none, or if one begins or ends with white space or is in quotes,
// it fails with [ErrInvalidArgument].
//
// The signature covers the body alone, without a time or the ID of the delivery. It does not
// prevent that someone who has a signed body sends it again.
//
// UNCERTAIN(webhook-digest): how Memfault writes the digest. VerifyWebhook accepts hexadecimal
// digits and base64, each also after "sha256=".
//
// Memfault: https://docs.memfault.com/docs/platform/webhooks
func VerifyWebhook(header http.Header, body []byte, secrets ...string) error {
	if !anyNotEmpty(secrets) {
		return invalid("VerifyWebhook: secrets must not be empty")
	}
	if slices.ContainsFunc(secrets, isWrapped) {
		return invalid("VerifyWebhook: " + wrappedSecret)
	}
	signature := header.Get(signatureHeader)
	if signature == "" {
		return newKindError(ErrWebhookSignature, "VerifyWebhook: missing %s header", signatureHeader)
	}
	sent := []byte(strings.TrimPrefix(signature, "sha256="))
	equal := 0
	for _, secret := range secrets {
		if secret == "" {
			continue // anyone can sign with it
		}
		digest := webhookDigest(secret, body)
		lower := hex.EncodeToString(digest)
		// Comparing the texts, not the decoded digest, accepts no second spelling of a digest.
		for _, text := range []string{lower, strings.ToUpper(lower), base64.StdEncoding.EncodeToString(digest)} {
			equal |= subtle.ConstantTimeCompare(sent, []byte(text))
		}
	}
	if equal == 0 {
		return newKindError(ErrWebhookSignature, "VerifyWebhook: signature mismatch")
	}
	return nil
}

// SignWebhook returns the header of a webhook delivery with the given body, for tests of
// programs that receive webhooks. It contains the Content-Type and the signature in hexadecimal
// digits, but no Memfault-Delivery; set it to test repeated deliveries.
func SignWebhook(secret string, body []byte) http.Header {
	header := http.Header{"Content-Type": {"application/json"}}
	header.Set(signatureHeader, hex.EncodeToString(webhookDigest(secret, body)))
	return header
}

// ParseWebhook returns the event of a webhook delivery. It does not check the signature; call
// [VerifyWebhook] first. Unknown types are not an error.
//
// If the body is not a JSON object with a type, ParseWebhook fails with [ErrInvalidArgument].
//
// Memfault: https://docs.memfault.com/docs/platform/webhooks
func ParseWebhook(header http.Header, body []byte) (*WebhookEvent, error) {
	var envelope struct {
		Type    WebhookType    `json:"type"`
		Project WebhookProject `json:"project"`
	}
	body = bytes.TrimPrefix(body, byteOrderMark)
	if err := json.Unmarshal(body, &envelope); err != nil {
		return nil, invalid("ParseWebhook: %w", err)
	}
	if envelope.Type == "" {
		return nil, invalid("ParseWebhook: the body contains no type")
	}
	return &WebhookEvent{
		Type: envelope.Type, Delivery: header.Get(deliveryHeader), Project: envelope.Project, Payload: bytes.Clone(body),
	}, nil
}

func webhookDigest(secret string, body []byte) []byte {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return mac.Sum(nil)
}

func anyNotEmpty(texts []string) bool { return strings.Join(texts, "") != "" }

package memfault

import (
	"context"

	"github.com/memfault-go/memfault/internal/operation"
)

// AccountService reads the account of the user whose credential the client uses, and manages
// the user's API key.
type AccountService struct{ client *Client }

// User is a person with a Memfault account.
type User struct {
	ID                        int64             `json:"id"`
	Email                     string            `json:"email"`
	Name                      string            `json:"name"`
	Organizations             []Organization    `json:"organizations"`
	OrganizationACLs          []OrganizationACL `json:"organization_acls"`
	HasAcceptedPrivacyNotice  bool              `json:"has_accepted_privacy_notice"`
	HasAcceptedTermsOfService bool              `json:"has_accepted_terms_of_service"`
	Impersonator              *string           `json:"impersonator"` // nil unless another person acts as the user
	CreatedDate               Timestamp         `json:"created_date"`
	UpdatedDate               Timestamp         `json:"updated_date"`
}

func (u *User) missing() string {
	if u.ID == 0 && u.Email == "" {
		return "id"
	}
	return ""
}

// OrganizationACL describes the roles of a user in an organization.
type OrganizationACL struct {
	Admin           bool         `json:"admin"`
	CustomerSupport bool         `json:"customer_support"`
	Organization    Organization `json:"organization"`
}

// apiKey is the key of a user or of a project.
type apiKey struct {
	APIKey string `json:"api_key"`
}

func (k *apiKey) missing() string {
	if k.APIKey == "" {
		return "api_key"
	}
	return ""
}

// Me returns the user whose credential the client uses. Use it to test a login.
//
// UNCERTAIN(auth-me-organization-token): whether Memfault accepts an [OrganizationToken].
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/auth
func (s *AccountService) Me(ctx context.Context, opts ...CallOption) (*User, error) {
	return fetch[User](ctx, clientOf(s), operation.AuthMe, requestParams{}, opts)
}

// GetAPIKey returns the user API key that was generated before.
//
// UNCERTAIN(no-user-api-key): which response Memfault sends if no key was generated.
//
// Credentials: [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/auth
func (s *AccountService) GetAPIKey(ctx context.Context, opts ...CallOption) (string, error) {
	return fetchKey(ctx, clientOf(s), operation.AuthGetUserAPIKey, requestParams{}, opts)
}

// GenerateAPIKey creates a new user API key. The old key stops working.
//
// Memfault asks for a [BasicPassword] here. GenerateAPIKey is not retried once it may have
// reached Memfault. If the response is lost, [AccountService.GetAPIKey] returns the new key.
//
// Credentials: [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/generate-user-api-key
func (s *AccountService) GenerateAPIKey(ctx context.Context, opts ...CallOption) (string, error) {
	return fetchKey(ctx, clientOf(s), operation.AuthGenerateUserAPIKey, requestParams{}, opts)
}

// DeleteAPIKey removes the user API key without creating another.
//
// Credentials: [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/auth
func (s *AccountService) DeleteAPIKey(ctx context.Context, opts ...CallOption) error {
	return exec(ctx, clientOf(s), operation.AuthResetUserAPIKey, requestParams{}, opts)
}

// fetchKey calls an operation that returns a key.
func fetchKey(ctx context.Context, client *Client, op *operation.Operation, params requestParams, opts []CallOption) (string, error) {
	key, err := fetch[apiKey](ctx, client, op, params, opts)
	if err != nil {
		return "", err
	}
	return key.APIKey, nil
}

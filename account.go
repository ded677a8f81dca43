package memfault

import (
	"context"
	"fmt"

	"github.com/memfault-go/memfault/internal/operation"
)

// AccountService tells who the credential belongs to and manages the API key of
// its user.
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
	Impersonator              *string           `json:"impersonator"` // nil unless somebody acts as the user
	CreatedDate               Timestamp         `json:"created_date"`
	UpdatedDate               Timestamp         `json:"updated_date"`
}

// OrganizationACL is what a user may do in an organization.
type OrganizationACL struct {
	Admin           bool         `json:"admin"`
	CustomerSupport bool         `json:"customer_support"`
	Organization    Organization `json:"organization"`
}

// apiKey is a key, of a user or of a project.
type apiKey struct {
	APIKey string `json:"api_key"`
}

// Me returns the user whom the credential belongs to: the way to test a login. It
// takes email with password or API key; whether an organization token may call it
// is UNCERTAIN, so the client lets one through.
//
// Memfault: https://docs.memfault.com/api/auth
func (s *AccountService) Me(ctx context.Context, opts ...CallOption) (*User, error) {
	return fetch[User](ctx, clientOf(s), operation.AuthMe, requestParams{}, opts)
}

// GetAPIKey returns the user API key that was generated before. What Memfault
// answers when there is none is UNCERTAIN.
//
// Memfault: https://docs.memfault.com/api/auth
func (s *AccountService) GetAPIKey(ctx context.Context, opts ...CallOption) (string, error) {
	return fetchKey(ctx, clientOf(s), operation.AuthGetUserAPIKey, requestParams{}, opts)
}

// GenerateAPIKey makes a new user API key in place of the old one, which ends to
// work. Memfault asks for email and password here. It is sent once: a lost answer
// leaves a key that GetAPIKey tells.
//
// Memfault: https://docs.memfault.com/api/generate-user-api-key
func (s *AccountService) GenerateAPIKey(ctx context.Context, opts ...CallOption) (string, error) {
	return fetchKey(ctx, clientOf(s), operation.AuthGenerateUserAPIKey, requestParams{}, opts)
}

// DeleteAPIKey removes the user API key without making another.
//
// Memfault: https://docs.memfault.com/api/auth
func (s *AccountService) DeleteAPIKey(ctx context.Context, opts ...CallOption) error {
	return exec(ctx, clientOf(s), operation.AuthResetUserAPIKey, requestParams{}, opts)
}

// fetchKey calls an operation that returns a key.
func fetchKey(ctx context.Context, client *Client, id operation.ID, params requestParams, opts []CallOption) (string, error) {
	key, err := fetch[apiKey](ctx, client, id, params, opts)
	if err != nil {
		return "", err
	}
	if key.APIKey == "" {
		return "", fmt.Errorf("memfault: %s: the reply lacks a key", operation.Get(id).Name)
	}
	return key.APIKey, nil
}

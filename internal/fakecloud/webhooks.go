package fakecloud

// Types of the webhooks that the cloud sends by itself.
const (
	webhookIssueCreated   = "issue.created"
	webhookIssueReopened  = "issue.reopened"
	webhookIssueRegressed = "issue.regressed"
	webhookIssueResolved  = "issue.resolved"
	webhookTest           = "test_notification.dispatched"
)

// Webhook is one delivery of an event.
type Webhook struct {
	Delivery string // the same for each attempt
	Type     string
	Body     []byte
}

// SubscribeWebhook makes the cloud deliver the events of the default project: issue.created if
// a trace, a coredump or an event creates an issue, issue.regressed if one opens a resolved
// issue, and issue.resolved and issue.reopened if a request changes the status of an issue.
// What is added without a request, as by AddIssue, sends nothing.
//
// Each subscription gets its deliveries one by one, in order. If deliver fails, it is called
// again, a few times and after short waits. No lock is held meanwhile.
//
// UNCERTAIN(webhook-fields): which fields the events have. Here, those of issues have the ID of
// the issue alone. UNCERTAIN(issue-reopened): which change is a reopening and which a regression.
func (c *Cloud) SubscribeWebhook(deliver DeliverFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.webhookProject = c.seeded
	c.webhooks.subscribe(deliver)
}

// SendTestNotification delivers test_notification.dispatched to all subscriptions.
func (c *Cloud) SendTestNotification() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sendWebhook(c.webhookProject, webhookTest, object{})
}

func (c *Cloud) sendIssueWebhook(p *project, kind string, i *issue) {
	c.sendWebhook(p, kind, object{"issue": object{"id": i.id}})
}

func (c *Cloud) sendWebhook(p *project, kind string, body object) {
	if p == nil || p != c.webhookProject {
		return
	}
	body["type"], body["project"] = kind, object{"id": p.id, "slug": p.slug}
	encoded, _ := JSON(body) // never fails
	c.webhooks.send(kind, encoded)
}

package fakecloud

import (
	"fmt"

	"github.com/memfault-go/memfault/internal/operation"
)

// AddTask puts a task into the cloud. Each time that it is asked for, it tells the
// next of the statuses, and the last of them for ever.
func (c *Cloud) AddTask(id string, statuses ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keepTask(id, statuses)
}

func (c *Cloud) keepTask(id string, statuses []string) {
	if c.tasks == nil {
		c.tasks = map[string][]string{}
	}
	c.tasks[id] = append([]string(nil), statuses...)
}

// addTask makes a task for an answer that names one, and returns its id.
func (c *Cloud) addTask(statuses ...string) (id string) {
	id = newUUID()
	c.keepTask(id, statuses)
	return id
}

func (c *Cloud) taskHandlers() map[operation.ID]handler {
	return map[operation.ID]handler{operation.TasksGetStatus: c.getTask}
}

func (c *Cloud) getTask(r *request) reply {
	id := r.PathValue("task_id")
	left := c.tasks[id]
	if len(left) == 0 {
		return notFound(fmt.Sprintf("Task with id `%s` not found", id))
	}
	if len(left) > 1 {
		c.tasks[id] = left[1:]
	}
	return bare(object{"status": left[0]})
}

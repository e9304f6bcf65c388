// Package v1alpha1 is the Go form of Doorward's own resources, of the API group
// doorward.dev.
package v1alpha1

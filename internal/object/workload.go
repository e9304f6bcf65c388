package object

import (
	"iter"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Workload is whatever makes Pods: a Deployment, StatefulSet, DaemonSet,
// ReplicaSet, Job or CronJob, or a bare Pod. A repository has no Pods, so
// labels, annotations and ports are taken from the pod template.
type Workload struct {
	metav1.ObjectMeta // of the controller itself, or of the bare Pod

	// Template is the pod template; for a bare Pod, its own metadata and spec.
	Template corev1.PodTemplateSpec
	// Replicas is how many Pods are wanted; nil means one (or, for a
	// DaemonSet, one a node).
	Replicas *int32
}

// PodLabels are the labels that the workload's Pods carry.
func (w *Workload) PodLabels() map[string]string { return w.Template.Labels }

// PodAnnotations are the annotations that the workload's Pods carry.
func (w *Workload) PodAnnotations() map[string]string { return w.Template.Annotations }

// ServiceAccount is the account that the Pods run as.
func (w *Workload) ServiceAccount() string {
	if name := w.Template.Spec.ServiceAccountName; name != "" {
		return name
	}
	if name := w.Template.Spec.DeprecatedServiceAccount; name != "" {
		return name
	}
	return "default"
}

// Ports yields the ports of all containers, those of native sidecars (init
// containers that are restarted always) included.
func (w *Workload) Ports() iter.Seq[corev1.ContainerPort] {
	return func(yield func(corev1.ContainerPort) bool) {
		for _, c := range w.Template.Spec.Containers {
			for _, p := range c.Ports {
				if !yield(p) {
					return
				}
			}
		}
		for _, c := range w.Template.Spec.InitContainers {
			if c.RestartPolicy == nil || *c.RestartPolicy != corev1.ContainerRestartPolicyAlways {
				continue
			}
			for _, p := range c.Ports {
				if !yield(p) {
					return
				}
			}
		}
	}
}

// Port finds the number of a container port by its name.
func (w *Workload) Port(name string) (int32, bool) {
	for p := range w.Ports() {
		if name != "" && p.Name == name {
			return p.ContainerPort, true
		}
	}
	return 0, false
}

// Selects says whether a selector matches the labels of the workload's Pods.
// An empty selector selects nothing, as in a Service.
func (w *Workload) Selects(selector map[string]string) bool {
	return len(selector) > 0 && Match(selector, w.Template.Labels)
}

// Match says whether labels have every key and value of selector. An empty
// selector matches everything.
func Match(selector, labels map[string]string) bool {
	for k, v := range selector {
		if got, ok := labels[k]; !ok || got != v {
			return false
		}
	}
	return true
}

// workloadOf reads the pod template of an object that makes Pods.
func workloadOf(obj any) (kind string, w *Workload) {
	switch o := obj.(type) {
	case *appsv1.Deployment:
		return "Deployment", &Workload{o.ObjectMeta, o.Spec.Template, o.Spec.Replicas}
	case *appsv1.StatefulSet:
		return "StatefulSet", &Workload{o.ObjectMeta, o.Spec.Template, o.Spec.Replicas}
	case *appsv1.DaemonSet:
		return "DaemonSet", &Workload{o.ObjectMeta, o.Spec.Template, nil}
	case *appsv1.ReplicaSet:
		return "ReplicaSet", &Workload{o.ObjectMeta, o.Spec.Template, o.Spec.Replicas}
	case *batchv1.Job:
		return "Job", &Workload{o.ObjectMeta, o.Spec.Template, o.Spec.Parallelism}
	case *batchv1.CronJob:
		return "CronJob", &Workload{o.ObjectMeta, o.Spec.JobTemplate.Spec.Template, o.Spec.JobTemplate.Spec.Parallelism}
	case *corev1.Pod:
		template := corev1.PodTemplateSpec{ObjectMeta: o.ObjectMeta, Spec: o.Spec}
		return "Pod", &Workload{o.ObjectMeta, template, nil}
	}
	return "", nil
}

/** Places of the console. What is searched, filtered and sorted is in the address, so that it can be kept and sent on. */
import { createRouter, createWebHashHistory } from 'vue-router'

export const router = createRouter({
  history: createWebHashHistory(),
  routes: [
    { path: '/', name: 'overview', component: () => import('./pages/Overview.vue') },
    { path: '/explorer', name: 'explorer', component: () => import('./pages/Explorer.vue') },
    { path: '/as-of', name: 'as-of', component: () => import('./pages/AsOf.vue') },
    { path: '/trace/:id', name: 'trace', component: () => import('./pages/Trace.vue') },
    { path: '/evidence', name: 'evidence', component: () => import('./pages/Evidence.vue') },
    { path: '/emergencies', name: 'emergencies', component: () => import('./pages/Emergencies.vue') },
    { path: '/verify', name: 'verify', component: () => import('./pages/Verify.vue') },
    { path: '/:rest(.*)', redirect: '/' },
  ],
})

/** Where an identifier leads. */
export const place = (id: string): { name: 'trace'; params: { id: string } } => ({ name: 'trace', params: { id } })

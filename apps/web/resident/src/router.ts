import { createRouter, createWebHashHistory } from 'vue-router'
import { pending, state } from './state'

const open = { meta: { open: true } }

export const router = createRouter({
  history: createWebHashHistory(),
  scrollBehavior: (_to, _from, saved) => saved ?? { top: 0 },
  routes: [
    { path: '/', component: () => import('./pages/Home.vue') },
    { path: '/start', component: () => import('./pages/Start.vue'), ...open },
    { path: '/enrol', component: () => import('./pages/Enrol.vue'), ...open },
    { path: '/import', component: () => import('./pages/Import.vue'), ...open },
    { path: '/lost', component: () => import('./pages/Lost.vue'), ...open },
    { path: '/recovering', component: () => import('./pages/Recovering.vue'), ...open },
    { path: '/unlock', component: () => import('./pages/Unlock.vue'), ...open },
    { path: '/records', component: () => import('./pages/Records.vue') },
    { path: '/records/:record', component: () => import('./pages/Record.vue') },
    { path: '/consents', component: () => import('./pages/Consents.vue') },
    { path: '/consents/new', component: () => import('./pages/Grant.vue') },
    { path: '/consents/:consent', component: () => import('./pages/Consent.vue') },
    { path: '/consents/:consent/narrow', component: () => import('./pages/Narrow.vue') },
    { path: '/request', component: () => import('./pages/Claim.vue') },
    { path: '/requests/:id', component: () => import('./pages/Request.vue') },
    { path: '/readers', component: () => import('./pages/Readers.vue') },
    { path: '/mine', component: () => import('./pages/Mine.vue') },
    { path: '/mine/change', component: () => import('./pages/Change.vue') },
    { path: '/mine/lost', component: () => import('./pages/Lost.vue') },
    { path: '/notices', component: () => import('./pages/Notices.vue') },
    { path: '/code', component: () => import('./pages/Code.vue') },
    { path: '/scan', component: () => import('./pages/Scan.vue') },
    { path: '/:rest(.*)', redirect: '/' },
  ],
})

/** Without a key to the start, locked to the passphrase; afterwards where one wanted to go. */
router.beforeEach((to) => {
  if (to.path === '/start' && state.file) return '/unlock'
  if (to.path === '/recovering' && !pending.load()) return '/start'
  if (to.meta['open']) return true
  if (!state.file) return '/start'
  return state.unlocked || { path: '/unlock', query: { to: to.fullPath } }
})

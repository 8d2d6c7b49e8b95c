import { createRouter, createWebHashHistory } from 'vue-router'
import Change from './pages/Change.vue'
import Claim from './pages/Claim.vue'
import Code from './pages/Code.vue'
import Consent from './pages/Consent.vue'
import Consents from './pages/Consents.vue'
import Enrol from './pages/Enrol.vue'
import Grant from './pages/Grant.vue'
import Home from './pages/Home.vue'
import Import from './pages/Import.vue'
import Institutions from './pages/Institutions.vue'
import Lost from './pages/Lost.vue'
import Mine from './pages/Mine.vue'
import Narrow from './pages/Narrow.vue'
import Notices from './pages/Notices.vue'
import Readers from './pages/Readers.vue'
import Record from './pages/Record.vue'
import Records from './pages/Records.vue'
import Recovering from './pages/Recovering.vue'
import Request from './pages/Request.vue'
import Start from './pages/Start.vue'
import Unlock from './pages/Unlock.vue'
import { pending, state } from './state'

const open = { meta: { open: true } }

/** All but the scanner come with the first load: a network that fails later must not take a page away. */
export const router = createRouter({
  history: createWebHashHistory(),
  scrollBehavior: (_to, _from, saved) => saved ?? { top: 0 },
  routes: [
    { path: '/', component: Home },
    { path: '/start', component: Start, ...open },
    { path: '/enrol', component: Enrol, ...open },
    { path: '/import', component: Import, ...open },
    { path: '/lost', component: Lost, ...open },
    { path: '/recovering', component: Recovering, ...open },
    { path: '/unlock', component: Unlock, ...open },
    { path: '/records', component: Records },
    { path: '/records/:record', component: Record },
    { path: '/consents', component: Consents },
    { path: '/consents/new', component: Grant },
    { path: '/consents/:consent', component: Consent },
    { path: '/consents/:consent/narrow', component: Narrow },
    { path: '/request', component: Claim },
    { path: '/requests/:id', component: Request },
    { path: '/readers', component: Readers },
    { path: '/mine', component: Mine },
    { path: '/mine/change', component: Change },
    { path: '/mine/institutions', component: Institutions },
    { path: '/mine/lost', component: Lost },
    { path: '/notices', component: Notices },
    { path: '/code', component: Code },
    { path: '/scan', component: () => import('./pages/Scan.vue') },
    { path: '/:rest(.*)', redirect: '/' },
  ],
})

/** Without a key to the start (or to the new key that waits), locked to the passphrase; afterwards where one wanted to go. */
router.beforeEach((to) => {
  if (to.path === '/start' && state.file) return '/unlock'
  if (to.path === '/recovering' && !pending.load()) return '/start'
  if (to.meta['open']) return true
  if (!state.file) return pending.load() ? '/recovering' : '/start'
  return state.unlocked || { path: '/unlock', query: { to: to.fullPath } }
})

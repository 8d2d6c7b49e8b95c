import { applyLarge, followSystemTheme, reloadWhenRebuilt, spaceTaps } from '@healthtrust/kit'
import '@healthtrust/kit/theme.css'
import 'vant/lib/index.css'
import { createApp } from 'vue'
import App from './App.vue'
import { router } from './router'
import './style.css'
import { i18n } from './words'

followSystemTheme()
reloadWhenRebuilt()
spaceTaps()
applyLarge()
createApp(App).use(i18n).use(router).mount('#app')
